package api

import (
	"time"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/core/event"
	"moongate/lua/vm"
)

// tcpSend is sock:send(data).
func tcpSend(l *lua.LState) int {
	countArgs(l, 2, 2, "expecting 2 arguments (including the object), but got %d")
	s, c := socketArg[tcpSock](l), ctxOf(l)
	if s.absent() || s.writeClosed {
		return s.closedOn(c, l, "send")
	}
	s.mine(c, l)
	if msg := s.busy(true, false, true); msg != "" {
		return fail(l, msg)
	}
	if s.kind == bodySock {
		vm.Errorf(l, "attempt to write to request sockets")
	}
	if c.debugging() {
		c.debugf("lua tcp socket send timeout: %d", or(s.wants.send, s.defaults.send).Milliseconds())
	}
	var data []byte
	if str, ok := l.Get(2).(lua.LString); ok {
		data = buf.Bytes(string(str)) // only read
	} else {
		s.out = appendSend(s.out[:0], l, l.Get(2), 2)
		data = s.out
	}
	if len(data) == 0 {
		return ret(l, zero)
	}
	if err := s.setNoDelay(); err != nil {
		return fail(l, "setsocketopt tcp_nodelay failed")
	}
	s.writing = true
	err := s.write(l, data)
	s.writing = false
	if cap(s.out) > maxKeptAcc {
		s.out = nil
	}
	if err != nil {
		s.writeClosed = true
		return fail(l, socketError(err))
	}
	return ret(l, vm.Number(len(data)))
}

// write sends all of data.
func (s *tcpSock) write(l *lua.LState, data []byte) error {
	if s.secure() {
		return s.writeTLS(l, data)
	}
	done := 0
	for s.conn != nil {
		n, err := s.io.TryWrite(data[done:])
		done += n
		s.c.Loop.Spend(n)
		if err == event.ErrAgain {
			err = s.await(l, s.io.WaitWritable, or(s.wants.send, s.defaults.send))
			if err == nil {
				continue
			}
		}
		switch {
		case err == nil && done == len(data):
			return nil
		case err == event.ErrTimeout:
			s.logTimeout("write")
			return err
		case err != nil:
			if err != event.ErrClosed {
				s.logFailed(err, "send() failed")
			}
			return err
		}
	}
	return event.ErrClosed
}

// writeTLS sends data in records. The waiting is that of the connection, which the record layer needs.
func (s *tcpSock) writeTLS(l *lua.LState, data []byte) error {
	io := s.io
	s.conn.WriteTimeout = or(s.wants.send, s.defaults.send)
	err := s.await(l, func(time.Duration) error {
		_, err := io.TryWrite(data)
		return err
	}, 0)
	switch {
	case err == event.ErrTimeout:
		s.logTimeout("write")
	case err != nil && err != event.ErrClosed:
		s.logFailed(err, "SSL_write() failed")
	}
	return err
}
