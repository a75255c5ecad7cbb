package ssi

import (
	"bytes"

	"moongate/http"
)

// opening is what commands begin with, before "#".
const opening = "<!--"

const (
	// maxCommand and maxParam bound the names of commands and parameters.
	maxCommand = 32
	maxParam   = 32
	// maxParams is how many parameters a command may have.
	maxParams = 16
)

// state is where in a command the scanner is.
type state uint8

const (
	stateText state = iota
	stateOpening
	stateBeforeCommand
	stateCommand
	stateBeforeParam
	stateParam
	stateBeforeEqual
	stateBeforeValue
	stateValue
	stateQuoted
	stateAfterValue
	stateEnd0 // after "-"
	stateEnd1 // after "--"
	stateError
	stateErrorEnd0
	stateErrorEnd1
)

// param is a parameter of a command.
type param struct{ name, value []byte }

// scanner finds the commands in a page that comes in pieces: ngx_http_ssi_parse.
type scanner struct {
	r        *http.Request
	maxValue int

	state state
	// looked is how many bytes of opening were seen; they are held back.
	looked  int
	quote   byte
	command []byte
	params  []param
}

// tokenKind is what ended a token.
type tokenKind uint8

const (
	tokenNone    tokenKind = iota // the end of the piece
	tokenCommand                  // scanner.command and params are complete
	tokenError                    // a command with a mistake, which was logged
)

// token is the text up to the next command.
type token struct {
	what tokenKind
	// held is how many bytes of opening, held back before, are text.
	held int
	text []byte
	// size is how much of the piece was used.
	size int
}

// next reads the next token of a piece.
func (s *scanner) next(data []byte) (t token) {
	from, i := 0, 0 // the text begins at from
	pending := 0    // bytes of opening held back from earlier pieces
	if s.state == stateOpening {
		pending = s.looked
	}
	for s.state == stateText || s.state == stateOpening {
		if s.state == stateText {
			at := bytes.IndexByte(data[i:], '<')
			if at < 0 {
				return token{held: t.held, text: data[from:], size: len(data)}
			}
			i += at + 1
			s.state, s.looked = stateOpening, 1
		}
		matched := s.open(data, &i)
		cut := i - s.looked
		if !matched {
			if s.state == stateText {
				t.held, pending = t.held+pending, 0
				continue
			}
			// The piece ends within an opening.
			return token{held: t.held, text: data[from:max(cut, from)], size: len(data)}
		}
		t.text = data[from:max(cut, from)]
		s.state, s.looked = stateBeforeCommand, 0
		i++
	}
	for ; i < len(data); i++ {
		if what := s.inside(data[i]); what != tokenNone {
			s.state = stateText
			return token{what: what, held: t.held, text: t.text, size: i + 1}
		}
	}
	t.size = len(data)
	return t
}

// open compares the bytes from *i with what is left of the opening and "#". It
// leaves *i behind the opening, at "#", when it matches; at the byte that does
// not, having gone back to stateText; or at the end of the piece.
func (s *scanner) open(data []byte, i *int) bool {
	for ; *i < len(data); *i++ {
		c := data[*i]
		switch {
		case s.looked == len(opening) && c == '#':
			return true
		case s.looked < len(opening) && c == opening[s.looked]:
			s.looked++
		default:
			s.state, s.looked = stateText, 0
			return false
		}
	}
	return false
}

func isBlank(c byte) bool { return c == ' ' || c == '\r' || c == '\n' || c == '\t' }

// inside takes one byte of a command.
func (s *scanner) inside(c byte) tokenKind {
	switch s.state {
	case stateBeforeCommand, stateCommand:
		s.commandByte(c)
	case stateBeforeParam, stateParam, stateBeforeEqual:
		s.paramByte(c)
	case stateBeforeValue, stateValue, stateQuoted, stateAfterValue:
		s.valueByte(c)
	case stateEnd0:
		s.state = stateEnd1
		if c != '-' {
			s.fail(`unexpected "%c" symbol in "%s" SSI command`, c, s.command)
		}
	case stateEnd1:
		if c == '>' {
			return tokenCommand
		}
		s.fail(`unexpected "%c" symbol in "%s" SSI command`, c, s.command)
	case stateError:
		if c == '-' {
			s.state = stateErrorEnd0
		}
	case stateErrorEnd0:
		s.state = stateError
		if c == '-' {
			s.state = stateErrorEnd1
		}
	case stateErrorEnd1:
		if c == '>' {
			return tokenError
		}
		s.state = stateError
	}
	return tokenNone
}

// fail logs a mistake; the rest of the command is skipped.
func (s *scanner) fail(format string, args ...any) {
	s.state = stateError
	s.r.Error(format, args...)
}

func (s *scanner) commandByte(c byte) {
	if s.state == stateBeforeCommand {
		if !isBlank(c) {
			s.command, s.params = append(s.command[:0], c), s.params[:0]
			s.state = stateCommand
		}
		return
	}
	switch {
	case isBlank(c):
		s.state = stateBeforeParam
	case c == '-':
		s.state = stateEnd0
	case len(s.command) == maxCommand:
		s.fail(`the "%s%c..." SSI command is too long`, s.command, c)
	default:
		s.command = append(s.command, c)
	}
}

// last is the parameter that is being read.
func (s *scanner) last() *param { return &s.params[len(s.params)-1] }

func (s *scanner) paramByte(c byte) {
	if isBlank(c) {
		if s.state == stateParam {
			s.state = stateBeforeEqual
		}
		return
	}
	switch s.state {
	case stateBeforeParam:
		if c == '-' {
			s.state = stateEnd0
			return
		}
		s.addParam(c)
	case stateParam:
		p := s.last()
		switch {
		case c == '=':
			s.state = stateBeforeValue
		case c == '-':
			s.fail(`unexpected "-" symbol after "%s" parameter in "%s" SSI command`, p.name, s.command)
			s.state = stateErrorEnd0
		case len(p.name) == maxParam:
			s.fail(`too long "%s%c..." parameter in "%s" SSI command`, p.name, c, s.command)
		default:
			p.name = append(p.name, c)
		}
	case stateBeforeEqual:
		if c == '=' {
			s.state = stateBeforeValue
			return
		}
		s.fail(`unexpected "%c" symbol after "%s" parameter in "%s" SSI command`, c, s.last().name, s.command)
		if c == '-' {
			s.state = stateErrorEnd0
		}
	}
}

// addParam begins a parameter. Of more than there may be only the last is kept.
func (s *scanner) addParam(c byte) {
	s.state = stateParam
	n := len(s.params)
	if n > maxParams {
		n = maxParams
		s.params = s.params[:n]
	}
	if n < cap(s.params) {
		s.params = s.params[:n+1]
	} else {
		s.params = append(s.params, param{})
	}
	p := s.last()
	p.name, p.value = append(p.name[:0], c), p.value[:0]
}

func (s *scanner) valueByte(c byte) {
	p := s.last()
	switch s.state {
	case stateBeforeValue:
		switch {
		case isBlank(c):
		case c == '"' || c == '\'':
			s.quote, s.state = c, stateValue
		default:
			s.fail(`unexpected "%c" symbol before value of "%s" parameter in "%s" SSI command`, c, p.name, s.command)
			if c == '-' {
				s.state = stateErrorEnd0
			}
		}
	case stateValue:
		if c == s.quote {
			s.state = stateAfterValue
			return
		}
		if c == '\\' {
			s.state = stateQuoted
		}
		s.addValue(p, c)
	case stateQuoted:
		s.state = stateValue
		s.addValue(p, c)
	case stateAfterValue:
		switch {
		case isBlank(c):
			s.state = stateBeforeParam
		case c == '-':
			s.state = stateEnd0
		default:
			s.fail(`unexpected "%c" symbol after "%s" value of "%s" parameter in "%s" SSI command`, c, p.value, p.name, s.command)
		}
	}
}

func (s *scanner) addValue(p *param, c byte) {
	if len(p.value) == s.maxValue {
		s.fail(`too long "%s%c..." value of "%s" parameter in "%s" SSI command`, p.value, c, p.name, s.command)
		return
	}
	p.value = append(p.value, c)
}
