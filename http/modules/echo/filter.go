package echo

import (
	"moongate/core/buf"
	"moongate/http"
)

// filterState is how far the filter is with a response.
type filterState struct {
	begun bool // what comes before the body is out
	done  bool // so is what comes after it
	out   [1]http.Buf
}

func headerFilter(r *http.Request) http.Verdict {
	r.Out.ClearContentLength()
	r.ClearAcceptRanges()
	r.FilterOwnBody()
	return http.OK
}

// bodyFilter puts text before the first and behind the last piece of the body.
func bodyFilter(r *http.Request, in []http.Buf, next http.Next) error {
	x := stateOf(r)
	if len(in) == 0 || r.HeaderOnly || x.filter.done {
		return next.Write(in)
	}
	c := slot.Of(r.Scope)
	if !x.filter.begun {
		x.filter.begun = true
		if err := x.add(c.before, next); err != nil {
			return err
		}
	}
	last := len(in) - 1
	switch {
	case c.after == nil:
		x.filter.done = true
		return next.Write(in)
	case !in[last].Last && !in[last].LastInChain:
		return next.Write(in)
	}
	x.filter.done = true
	end := in[last]
	in[last].Last, in[last].LastInChain = false, false
	err := next.Write(in)
	in[last] = end
	if err != nil {
		return err
	}
	if err := x.add(c.after, next); err != nil {
		return err
	}
	return x.pass(http.Buf{Last: end.Last, LastInChain: end.LastInChain}, next)
}

// add passes on the texts of commands.
func (x *exec) add(commands []command, next http.Next) error {
	for i := range commands {
		text := commands[i].text(x.r)
		if text == "" {
			continue
		}
		if err := x.pass(http.Buf{B: buf.Bytes(text)}, next); err != nil {
			return err
		}
	}
	return nil
}

func (x *exec) pass(b http.Buf, next http.Next) error {
	x.filter.out[0] = b
	return next.Write(x.filter.out[:])
}
