package echo

import (
	"time"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
)

// exec is the state of the module in a request.
type exec struct {
	r *http.Request
	// next is the command that runs next.
	next int
	// loop is where echo_foreach_split is, nil outside of one.
	loop *loop
	// begin is when echo_reset_timer ran last.
	begin time.Time
	// count is the last value of $echo_incr, in the main request.
	count int64

	filter filterState
	out    [1]http.Buf
}

var state http.Ctx[exec]

// stateOf returns the state in r, which it makes if need be.
func stateOf(r *http.Request) *exec {
	x := state.Of(r)
	if x == nil {
		x = &exec{r: r}
		state.Set(r, x)
	}
	return x
}

// handlerRows are the directives of the content handler.
var handlerRows = []struct {
	name string
	args conf.Arity
	run  func(x *exec, c *command) http.Verdict
}{
	{"echo", conf.AnyArgs, (*exec).echo},
	{"echo_duplicate", conf.TwoMore, (*exec).duplicate},
	{"echo_request_body", conf.NoArgs, (*exec).requestBody},
	{"echo_flush", conf.NoArgs, (*exec).flush},
	{"echo_sleep", conf.Take1, (*exec).sleep},
	{"echo_blocking_sleep", conf.Take1, (*exec).blockingSleep},
	{"echo_reset_timer", conf.NoArgs, (*exec).resetTimer},
	{"echo_read_request_body", conf.NoArgs, (*exec).readRequestBody},
	{"echo_location", conf.Take12, (*exec).location},
	{"echo_location_async", conf.Take12, (*exec).locationAsync},
	{"echo_subrequest", conf.TwoMore, (*exec).subrequest},
	{"echo_subrequest_async", conf.TwoMore, (*exec).subrequestAsync},
	{"echo_foreach_split", conf.TwoMore, (*exec).foreachSplit},
	{"echo_end", conf.NoArgs, (*exec).end},
	{"echo_exec", conf.Take12, (*exec).redirect},
	{"echo_abort_parent", conf.NoArgs, (*exec).abortParent},
}

// handler is the content handler: it runs the commands of the location.
func handler(r *http.Request) http.Verdict {
	commands := slot.Of(r.Scope).commands
	if commands == nil {
		return http.Declined
	}
	x := stateOf(r)
	for x.next = 0; x.next < len(commands); {
		c := &commands[x.next]
		x.next++
		switch v := c.run(x, c); {
		case v >= http.StatusSpecialResponse && r.HeaderSent:
			return http.Error
		case v < http.OK || v >= http.StatusSpecialResponse:
			return v
		}
	}
	if v := x.header(); v != http.OK || r.HeaderOnly {
		return v
	}
	if v := r.SendLast(); v != http.OK {
		return v
	}
	if r.Body == nil {
		return r.DiscardBody()
	}
	return http.OK
}

// header sends the header, once. Commands that write go on if it is OK and
// there may be a body.
func (x *exec) header() http.Verdict {
	r := x.r
	if r.HeaderSent {
		return http.OK
	}
	r.Out.Status = int(slot.Of(r.Scope).status.V)
	r.SetContentType()
	r.Out.ClearContentLength()
	r.ClearAcceptRanges()
	return r.SendHeader()
}

// write sends pieces of the body, after the header.
func (x *exec) write(bufs []http.Buf) http.Verdict {
	if v := x.header(); v != http.OK || x.r.HeaderOnly {
		return v
	}
	return x.r.Output(bufs)
}

// echo is "echo [-n] text …".
func (x *exec) echo(c *command) http.Verdict {
	text := c.text(x.r)
	if text == "" {
		return http.OK
	}
	x.out[0] = http.Buf{B: buf.Bytes(text)}
	return x.write(x.out[:])
}

// Memory of echo_duplicate: the text is repeated in a block of about that size,
// which goes out so many times at once.
const (
	duplicateBlock  = 16 << 10
	duplicateBlocks = 64
)

// duplicate is "echo_duplicate count text".
func (x *exec) duplicate(c *command) http.Verdict {
	r := x.r
	count, ok := parseCount(c.arg(r, 0))
	if !ok {
		r.Error(`invalid size specified: "%s"`, c.arg(r, 0))
		return http.StatusInternalServerError
	}
	text := c.arg(r, 1)
	if count == 0 || text == "" {
		return x.header()
	}
	times := min(count, max(1, duplicateBlock/int64(len(text))))
	block := r.Pool.Alloc(int(times) * len(text))
	for b := block; len(b) > 0; {
		b = b[copy(b, text):]
	}
	var bufs [duplicateBlocks]http.Buf
	for left := count; left > 0; {
		n := 0
		for ; n < len(bufs) && left > 0; n++ {
			piece := min(left, times)
			bufs[n] = http.Buf{B: block[:int(piece)*len(text)]}
			left -= piece
		}
		if v := x.write(bufs[:n]); v != http.OK || r.HeaderOnly {
			return v
		}
	}
	return http.OK
}

// parseCount reads decimal digits; underscores between them do not count.
func parseCount(s string) (n int64, ok bool) {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '_':
		case c < '0' || c > '9' || n > (1<<63-1-9)/10:
			return 0, false
		default:
			n = n*10 + int64(c-'0')
		}
	}
	return n, s != ""
}

// requestBody is echo_request_body: the body, if it was read.
func (x *exec) requestBody(*command) http.Verdict {
	if x.r.Body == nil || x.r.Body.Size == 0 {
		return http.OK
	}
	x.out[0] = x.r.Body.Buf()
	return x.write(x.out[:])
}

// flush is echo_flush, which does nothing before the header.
func (x *exec) flush(*command) http.Verdict {
	if !x.r.HeaderSent || x.r.HeaderOnly {
		return http.OK
	}
	return x.r.Flush()
}

// parseDelay reads seconds with up to three decimals.
func (x *exec) parseDelay(c *command) (time.Duration, http.Verdict) {
	s := c.arg(x.r, 0)
	ms, ok := conf.ParseFixed(s, 3)
	if !ok || ms > (1<<63-1)/int64(time.Millisecond) {
		x.r.Error(`invalid sleep duration "%s"`, s)
		return 0, http.StatusBadRequest
	}
	return time.Duration(ms) * time.Millisecond, http.OK
}

// sleep is "echo_sleep seconds".
func (x *exec) sleep(c *command) http.Verdict {
	d, v := x.parseDelay(c)
	if v != http.OK {
		return v
	}
	if x.r.Loop().Sleep(d) != nil {
		return http.Error
	}
	return http.OK
}

// blockingSleep is "echo_blocking_sleep seconds", which halts the whole worker:
// that is what it is for.
func (x *exec) blockingSleep(c *command) http.Verdict {
	d, v := x.parseDelay(c)
	if v == http.OK {
		time.Sleep(d)
	}
	return v
}

// resetTimer is echo_reset_timer: $echo_timer_elapsed counts from here.
func (x *exec) resetTimer(*command) http.Verdict {
	x.r.Loop().UpdateTime()
	x.begin = x.r.Loop().Now()
	return http.OK
}

// readRequestBody is echo_read_request_body.
func (x *exec) readRequestBody(*command) http.Verdict { return x.r.ReadBody() }

// abortParent is echo_abort_parent, which never came to be.
func (x *exec) abortParent(*command) http.Verdict {
	x.r.Error("unknown opcode: 17")
	return http.StatusInternalServerError
}
