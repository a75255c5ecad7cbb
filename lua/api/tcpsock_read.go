package api

import (
	"bytes"
	"io"
	"unsafe"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/event"
	"moongate/lua/vm"
)

// status is how far a reader has come.
type status uint8

const (
	needsMore status = iota
	complete
	broken // the data ended too early
)

// input is what has come from a socket or pipe.
type input struct {
	// in[rd:wr] was received and not read yet.
	in     []byte
	rd, wr int
	// acc collects what a read returns. whole is that instead when it lies in the input in one piece.
	acc, whole []byte
}

// reader takes what a read wants from the input to its acc, with eof for the end of input.
type reader interface {
	consume(s *input, eof bool) status
	// rest is how many bytes may be read straight to acc, -1 when the reader has to see them.
	rest(s *input) int
	// trace is the line of the debug log that says what is done.
	trace() string
}

// maxKeptAcc is the size of results whose memory is kept for the next.
const maxKeptAcc = 4 << 10

// startRead checks that the socket can be read; n is the number of results when it cannot.
func (s *tcpSock) startRead(c *Ctx, l *lua.LState) (n int, ok bool) {
	if s.absent() || s.readClosed {
		return s.closedOn(c, l, "receive"), false
	}
	s.mine(c, l)
	if msg := s.busy(true, true, false); msg != "" {
		return fail(l, msg), false
	}
	return 0, true
}

// tcpReceive is sock:receive(size or pattern?).
func tcpReceive(l *lua.LState) int {
	countArgs(l, 1, 2, "expecting 1 or 2 arguments (including the object), but got %d")
	s, c := socketArg[tcpSock](l), ctxOf(l)
	c.debugf("lua tcp socket calling receive() method")
	if n, ok := s.startRead(c, l); !ok {
		return n
	}
	if l.GetTop() == 1 {
		return s.read(l, lineReader{})
	}
	v := l.Get(2)
	if num, ok := vm.ToNumber(v); ok {
		size := int(num)
		if size < 0 {
			vm.ArgError(l, 2, "bad number argument")
		}
		if size == 0 {
			return ret(l, lua.LString(""))
		}
		s.sized.left = size
		return s.read(l, &s.sized)
	}
	pattern, ok := v.(lua.LString)
	switch {
	case !ok:
		vm.ArgError(l, 2, "bad argument")
	case len(pattern) != 2 || pattern[0] != '*':
		vm.ArgError(l, 2, "bad pattern argument: "+string(pattern))
	case pattern[1] == 'l':
		return s.read(l, lineReader{})
	case pattern[1] == 'a':
		return s.read(l, allReader{})
	}
	vm.ArgError(l, 2, "bad pattern argument")
	return 0
}

// tcpReceiveAny is sock:receiveany(max).
func tcpReceiveAny(l *lua.LState) int {
	countArgs(l, 2, 2, "expecting 2 arguments (including the object), but got %d")
	s, c := socketArg[tcpSock](l), ctxOf(l)
	if n, ok := s.startRead(c, l); !ok {
		return n
	}
	num, ok := vm.ToNumber(l.Get(2))
	if !ok || int(num) <= 0 {
		vm.ArgError(l, 2, "bad max argument")
	}
	if c.debugging() {
		c.debugf("lua tcp socket calling receiveany() method to read at most %d bytes", int(num))
	}
	return s.read(l, anyReader{max: int(num)})
}

// read runs a reader until it has what it wants, and pushes that.
func (s *tcpSock) read(l *lua.LState, r reader) int {
	if s.c.debugging() {
		s.c.debugf("lua tcp socket read timeout: %d", or(s.wants.read, s.defaults.read).Milliseconds())
	}
	s.switchPattern(r)
	s.acc = s.acc[:0]
	s.reading = true
	n := s.readLoop(l, r)
	s.reading = false
	return n
}

func (s *tcpSock) readLoop(l *lua.LState, r reader) int {
	for s.conn != nil {
		if s.rd < s.wr || s.eof || r.rest(&s.input) == 0 {
			s.c.debugf(r.trace())
			switch r.consume(&s.input, s.rd == s.wr) {
			case complete:
				return ret(l, s.result())
			case broken:
				return s.readFailed(l, textClosed)
			}
			if s.eof {
				continue
			}
		}
		n, err := s.receive(r)
		s.c.Loop.Spend(n)
		if err == event.ErrAgain {
			err = s.await(l, s.io.WaitReadable, or(s.wants.read, s.defaults.read))
			if err == nil {
				continue
			}
		}
		switch {
		case err == nil:
		case err == io.EOF:
			s.eof = true
		case err == event.ErrTimeout:
			s.logTimeout("read")
			return s.partial(l, textTimeout)
		default:
			if err != errClientAborted && err != event.ErrClosed {
				s.logFailed(err, "recv() failed")
			}
			return s.readFailed(l, socketError(err))
		}
	}
	return s.readFailed(l, textClosed)
}

// receive reads what has arrived, into the input buffer or, large pieces of known size, straight to the result.
func (s *tcpSock) receive(r reader) (int, error) {
	if want := r.rest(&s.input); want > s.bufLen {
		s.acc = grow(s.acc, want)
		n, err := s.io.TryRead(s.acc[len(s.acc):min(cap(s.acc), len(s.acc)+want)])
		s.acc = s.acc[:len(s.acc)+n]
		if r == reader(&s.sized) {
			s.sized.left -= n
		}
		return n, err
	}
	if s.in == nil {
		s.in = s.c.sockets.getBuffer(s.bufLen)
	}
	n, err := s.io.TryRead(s.in)
	s.rd, s.wr = 0, n
	return n, err
}

// maxStep is the most memory made for a result before its bytes have come.
const maxStep = 1 << 20

// grow makes room for some of want more bytes.
func grow(b []byte, want int) []byte {
	if cap(b)-len(b) >= min(want, maxKeptAcc) {
		return b
	}
	room := min(want, max(maxStep, len(b)))
	bigger := make([]byte, len(b), len(b)+room)
	copy(bigger, b)
	return bigger
}

// result is what a read has collected.
func (s *input) result() lua.LValue {
	if whole := s.whole; whole != nil {
		s.whole = nil
		return vm.Text(whole)
	}
	if len(s.acc) <= maxKeptAcc {
		return vm.Text(s.acc)
	}
	b := s.acc
	s.acc = nil
	if cap(b) > len(b)+len(b)/4 {
		return lua.LString(b)
	}
	return lua.LString(unsafe.String(unsafe.SliceData(b), len(b)))
}

// readFailed ends the reading side: nil, the error and what was read until then.
func (s *tcpSock) readFailed(l *lua.LState, msg string) int {
	n := s.partial(l, msg)
	s.closeRead()
	return n
}

func (s *tcpSock) partial(l *lua.LState, msg string) int {
	l.Push(lua.LNil)
	l.Push(lua.LString(msg))
	l.Push(s.result())
	return 3
}

var carriageReturn = []byte{'\r'}

// lineReader reads a line without its end; carriage returns are dropped wherever they are.
type lineReader struct{}

func (lineReader) rest(*input) int { return -1 }

func (lineReader) trace() string { return "lua tcp socket read line" }

func (lineReader) consume(s *input, eof bool) status {
	if eof {
		return broken
	}
	in := s.in[s.rd:s.wr]
	end := bytes.IndexByte(in, '\n')
	line := in
	if end >= 0 {
		line = in[:end]
	}
	if end >= 0 && len(s.acc) == 0 {
		if cr := bytes.IndexByte(line, '\r'); cr < 0 || cr == end-1 {
			s.whole = bytes.TrimSuffix(line, carriageReturn)
			s.rd += end + 1
			return complete
		}
	}
	s.rd += len(line)
	for {
		cr := bytes.IndexByte(line, '\r')
		if cr < 0 {
			break
		}
		s.acc = append(s.acc, line[:cr]...)
		line = line[cr+1:]
	}
	s.acc = append(s.acc, line...)
	if end < 0 {
		return needsMore
	}
	s.rd++
	return complete
}

// allReader reads to the end.
type allReader struct{}

// rest lets large results be read without a copy; what may be read is as much as there is already.
func (allReader) rest(s *input) int {
	if len(s.acc) > 4*maxKeptAcc {
		return len(s.acc)
	}
	return -1
}

func (allReader) trace() string { return "lua tcp socket read all" }

func (allReader) consume(s *input, eof bool) status {
	if eof {
		return complete
	}
	s.acc = append(s.acc, s.in[s.rd:s.wr]...)
	s.rd = s.wr
	return needsMore
}

// anyReader reads what there is, at most max bytes.
type anyReader struct{ max int }

func (anyReader) rest(*input) int { return -1 }

func (anyReader) trace() string { return "lua tcp socket read any" }

func (r anyReader) consume(s *input, eof bool) status {
	if eof {
		return broken
	}
	n := min(r.max, s.wr-s.rd)
	s.acc = append(s.acc, s.in[s.rd:s.rd+n]...)
	s.rd += n
	return complete
}

// sizeReader reads so many bytes.
type sizeReader struct{ left int }

func (r *sizeReader) rest(*input) int { return r.left }

func (r *sizeReader) trace() string { return "lua tcp socket read chunk" }

func (r *sizeReader) consume(s *input, eof bool) status {
	n := min(r.left, s.wr-s.rd)
	got := s.in[s.rd : s.rd+n]
	s.rd += n
	if n == r.left && len(s.acc) == 0 {
		s.whole = got
		return complete
	}
	s.acc = append(s.acc, got...)
	r.left -= n
	switch {
	case r.left == 0:
		return complete
	case eof:
		return broken
	}
	return needsMore
}
