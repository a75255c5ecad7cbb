package parser

import (
	"errors"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

type token = lexer.Token

// statement is what one call of ngx_conf_read_token returns: words and what ended them. The source of a Lua block is a
// statement too, between that of its "{" and that of its "}".
//
// The grammar stops at statements because nginx does: a grammar of whole blocks would give no tree for a wrong text and
// recurse as deep as the text nests.
type statement struct {
	Words  words `parser:"@@ End | Close | Lua"`
	Tokens []lexer.Token
}

// end is the token that ended the statement.
func (st *statement) end() *lexer.Token { return &st.Tokens[len(st.Tokens)-1] }

// words are one word or more. The grammar `Word+` costs a fifth more time, as participle allocates for each repetition.
// Nothing is captured: the statement keeps its tokens.
type words struct{}

func (*words) Parse(lex *lexer.PeekingLexer) error {
	if lex.Peek().Type != wordToken {
		return participle.NextMatch
	}
	for lex.Peek().Type == wordToken {
		lex.Next()
	}
	return nil
}

var (
	grammar       = participle.MustBuild[statement](participle.Lexer(definition{}), participle.UseLookahead(1))
	moreMayFollow = participle.AllowTrailing(true)
)

// unexpected finds nginx's message for an error of the grammar, and the line it happened in. endOfText is the message
// for a text that ends within a statement.
func unexpected(err error, endOfText string) (msg string, line int) {
	var u *participle.UnexpectedTokenError
	if !errors.As(err, &u) {
		return err.Error(), 0
	}
	switch t := u.Unexpected; t.Type {
	case lexer.EOF:
		msg = endOfText
	case badToken:
		msg = t.Value
	default:
		msg = `unexpected "` + t.Value + `"`
	}
	return msg, u.Unexpected.Pos.Line
}
