package echo

import (
	"strings"

	"moongate/http"
)

// loop is a run of echo_foreach_split.
type loop struct {
	start   int // the first command of the body
	it      string
	rest    string
	by      string
	present bool // it is a piece
}

// advance moves to the next piece that is not empty.
func (l *loop) advance() bool {
	for l.rest != "" {
		if l.by == "" {
			l.it, l.rest = l.rest, ""
		} else {
			l.it, l.rest, _ = strings.Cut(l.rest, l.by)
		}
		if l.it != "" {
			l.present = true
			return true
		}
	}
	l.it, l.present = "", false
	return false
}

// foreachSplit is "echo_foreach_split delimiter text": the commands up to
// echo_end run for each piece.
func (x *exec) foreachSplit(c *command) http.Verdict {
	switch {
	case x.loop != nil:
		x.r.Error("Nested echo_foreach not supported yet.")
		return http.StatusInternalServerError
	case len(c.args) < 2:
		x.r.Error(`echo_foreach should take at least two arguments. ` +
			`(if your delimiter starts with "-", preceding it with a "--".)`)
		return http.StatusInternalServerError
	}
	x.loop = &loop{start: x.next, by: c.arg(x.r, 0), rest: c.arg(x.r, 1)}
	if x.loop.advance() {
		return http.OK
	}
	commands := slot.Of(x.r.Scope).commands
	for x.next < len(commands) && !commands[x.next].closes {
		x.next++
	}
	return http.OK
}

// end is echo_end.
func (x *exec) end(*command) http.Verdict {
	switch {
	case x.loop == nil:
		x.r.Error("Found a echo_end that has no corresponding echo_foreach before it.")
		return http.Error
	case x.loop.advance():
		x.next = x.loop.start
	default:
		x.loop = nil
	}
	return http.OK
}
