package conf

import (
	"errors"
	"fmt"
	"io/fs"

	"moongate/parser"
)

// Error is a complaint about the configuration, complete with its place.
type Error struct {
	Msg  string
	File string
	Line int // 0: without place
}

func (e *Error) Error() string {
	switch {
	case e.File == "":
		return e.Msg
	case e.Line == 0:
		return e.Msg + " in " + e.File
	}
	return fmt.Sprintf("%s in %s:%d", e.Msg, e.File, e.Line)
}

// Conf is the directive being read and where: what a setter gets. It is
// nginx's ngx_conf_t.
type Conf struct {
	Cycle *Cycle
	// Name and Args are the directive's own name and arguments.
	Name string
	Args []string
	// Directive is its node in the tree.
	Directive *parser.Directive
	// Scope holds the structs that directives of the current block fill.
	Scope *Scope
	// In is the current context, a single bit.
	In Context

	file string
	line int
}

// Errorf makes a complaint placed at the current directive.
func (cf *Conf) Errorf(format string, args ...any) error {
	return &Error{Msg: fmt.Sprintf(format, args...), File: cf.file, Line: cf.line}
}

// Warnf logs a warning placed at the current directive.
func (cf *Conf) Warnf(format string, args ...any) { cf.Logf(LogWarn, format, args...) }

// Logf logs a message placed at the current directive.
func (cf *Conf) Logf(level LogLevel, format string, args ...any) {
	e := Error{Msg: fmt.Sprintf(format, args...), File: cf.file, Line: cf.line}
	cf.Cycle.Log(level, e.Error())
}

// Place returns the file and the line that messages name.
func (cf *Conf) Place() (file string, line int) { return cf.file, cf.line }

// complete turns a setter's error into a placed one: what is not an Error yet
// is a predicate of the directive, as in nginx ("is duplicate").
func (cf *Conf) complete(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return cf.Errorf(`"%s" directive %s`, cf.Name, err)
}

// Block evaluates the current directive's block in a context and scope, and
// leaves cf placed at the closing brace.
func (cf *Conf) Block(in Context, sc *Scope) error {
	saved := *cf
	b := cf.Directive.Block
	cf.Cycle.opened = true
	cf.In, cf.Scope = in, sc
	err := cf.eval(b)
	*cf = saved
	cf.line = b.CloseLine
	return err
}

// Lines calls f for each line of the current directive's block, includes
// followed, without looking the names up: for blocks such as types and map
// whose lines are data. During f, cf is placed at the line; its Name is the
// first word and its Args are the rest.
func (cf *Conf) Lines(f func(cf *Conf) error) error {
	saved := *cf
	err := cf.lines(cf.Directive.Block, f)
	*cf = saved
	cf.line = cf.Directive.Block.CloseLine
	return err
}

func (cf *Conf) lines(b *parser.Block, f func(cf *Conf) error) error {
	for _, d := range b.Items {
		cf.at(d)
		var err error
		switch {
		case d.Name == "include" && len(d.Args) == 1 && d.Block == nil:
			err = cf.include(func(b *parser.Block) error { return cf.lines(b, f) })
		case d.Block != nil:
			return cf.Errorf(`unexpected "{"`)
		default:
			err = f(cf)
		}
		if err != nil {
			return cf.complete(err)
		}
	}
	return syntax(b)
}

// at places cf at a directive.
func (cf *Conf) at(d *parser.Directive) {
	cf.Directive, cf.Name, cf.Args, cf.file, cf.line = d, d.Name, d.Args, d.File, d.Line
}

// syntax returns the error that ended a block early, if any.
func syntax(b *parser.Block) error {
	if b.Err == nil {
		return nil
	}
	return &Error{Msg: b.Err.Msg, File: b.Err.File, Line: b.Err.Line}
}

// eval interprets a block's directives in order. As nginx interprets while it
// reads, a syntax error is reported only after what stands before it.
func (cf *Conf) eval(b *parser.Block) error {
	for _, d := range b.Items {
		cf.at(d)
		if err := cf.directive(d); err != nil {
			return cf.complete(err)
		}
	}
	return syntax(b)
}

// directive finds the row of a directive and lets it act.
func (cf *Conf) directive(d *parser.Directive) error {
	if d.Name == "include" {
		if d.Block != nil {
			return cf.Errorf(`directive "include" is not terminated by ";"`)
		}
		if len(d.Args) != 1 {
			return cf.Errorf(`invalid number of arguments in "include" directive`)
		}
		return cf.include(cf.eval)
	}
	rows := cf.Cycle.Registry.Rows(d.Name)
	for _, row := range rows {
		if row.In&cf.In == 0 {
			continue
		}
		if err := cf.form(row, d); err != nil {
			return err
		}
		return row.set(cf)
	}
	switch {
	case len(rows) > 0:
		return cf.Errorf(`"%s" directive is not allowed here`, d.Name)
	case known(d.Name):
		return cf.Errorf(`unknown directive "%s": nginx has it, moongate %s`, d.Name, absence(d.Name))
	}
	return cf.Errorf(`unknown directive "%s"`, d.Name)
}

// form checks terminator and argument count.
func (cf *Conf) form(row *Directive, d *parser.Directive) error {
	block := row.Args&(Braces|LuaBraces) != 0
	switch {
	case !block && (d.Block != nil || d.Lua):
		return cf.Errorf(`directive "%s" is not terminated by ";"`, d.Name)
	case block && d.Block == nil && !d.Lua:
		return cf.Errorf(`directive "%s" has no opening "{"`, d.Name)
	case !row.Args.takes(len(d.Args)):
		return cf.Errorf(`invalid number of arguments in "%s" directive`, d.Name)
	}
	return nil
}

// include reads the files that the current include names and hands each to f.
func (cf *Conf) include(f func(*parser.Block) error) error {
	r := cf.Cycle.reader
	saved := *cf
	pattern := cf.Cycle.ConfPath(cf.Args[0])
	names, err := r.Expand(pattern)
	if err != nil {
		return cf.Errorf(`glob() "%s" failed (%s)`, pattern, ErrnoText(err))
	}
	for _, name := range names {
		b, err := r.Open(name)
		if err != nil {
			return cf.Errorf("%s", fileError(name, err))
		}
		err = f(b)
		r.Close()
		if err != nil {
			return err
		}
		*cf = saved
	}
	return nil
}

// IncludeIfThere reads a file, which need not exist, as if its directives stood
// in the place of the current one.
func (cf *Conf) IncludeIfThere(name string) error {
	r, saved := cf.Cycle.reader, *cf
	name = cf.Cycle.ConfPath(name)
	b, err := r.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return cf.Errorf("%s", fileError(name, err))
	}
	err = cf.eval(b)
	r.Close()
	*cf = saved
	return err
}
