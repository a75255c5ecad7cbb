package memc

import (
	"bytes"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/upstream"
)

// outcome is the status that a line of a response stands for, or one of those
// below.
type outcome int

const (
	invalid outcome = 0
	more    outcome = -1 // the response goes on
)

// failed is what any command may be answered with.
func failed(line []byte) outcome {
	if string(line) == "ERROR" || bytes.HasPrefix(line, []byte("CLIENT_ERROR ")) || bytes.HasPrefix(line, []byte("SERVER_ERROR ")) {
		return outcome(http.StatusBadGateway)
	}
	return invalid
}

func stored(line []byte) outcome {
	switch string(line) {
	case "STORED":
		return outcome(http.StatusCreated)
	case "NOT_STORED", "EXISTS":
		return outcome(http.StatusOK)
	case "NOT_FOUND":
		return outcome(http.StatusNotFound)
	}
	return invalid
}

func deleted(line []byte) outcome {
	switch string(line) {
	case "DELETED":
		return outcome(http.StatusOK)
	case "NOT_FOUND":
		return outcome(http.StatusNotFound)
	}
	return invalid
}

// counted takes a number and blanks that may follow it.
func counted(line []byte) outcome {
	if string(line) == "NOT_FOUND" {
		return outcome(http.StatusNotFound)
	}
	line = bytes.TrimRight(line, " ")
	if len(line) == 0 || len(bytes.TrimLeft(line, "0123456789")) > 0 {
		return invalid
	}
	return outcome(http.StatusCreated)
}

func flushed(line []byte) outcome {
	if string(line) == "OK" {
		return outcome(http.StatusOK)
	}
	return invalid
}

func versioned(line []byte) outcome {
	if bytes.HasPrefix(line, []byte("VERSION ")) {
		return outcome(http.StatusOK)
	}
	return invalid
}

func listed(line []byte) outcome {
	switch {
	case string(line) == "END":
		return outcome(http.StatusOK)
	case bytes.HasPrefix(line, []byte("STAT ")):
		return more
	}
	return invalid
}

// Restart implements upstream.Protocol.
func (x *exchange) Restart(*upstream.Exchange) {}

// Header implements upstream.Protocol. The answer to a command other than get
// is passed on as the body, so that nothing of it is taken.
func (x *exchange) Header(e *upstream.Exchange) upstream.Header {
	if x.answer == nil {
		return x.value(e)
	}
	for b, size := e.Unread(), 0; ; {
		line, rest, ok := bytes.Cut(b, []byte("\r\n"))
		if !ok {
			return upstream.HeaderAgain
		}
		size += len(line) + len("\r\n")
		b = rest
		status := x.answer(line)
		if status == invalid {
			status = failed(line)
		}
		switch status {
		case more:
			continue
		case invalid:
			e.R.Error(`memcached sent invalid response for command "%s" at pos %d: %s`, x.name, size, e.Unread()[:size])
			return upstream.HeaderInvalid
		}
		e.In.Status, e.In.ContentLength = int(status), int64(size)
		e.SetStatus(e.In.Status)
		e.Keep = e.In.Status == int(http.StatusNotFound)
		return upstream.HeaderDone
	}
}

// value reads the first line of the answer to get.
func (x *exchange) value(e *upstream.Exchange) upstream.Header {
	line, _, ok := bytes.Cut(e.Unread(), []byte{'\n'})
	if !ok {
		return upstream.HeaderAgain
	}
	size := len(line) + 1
	line, ok = bytes.CutSuffix(line, []byte{'\r'})
	fields, found := bytes.CutPrefix(line, []byte("VALUE "))
	switch {
	case ok && found:
		if h := x.fields(e, line, fields); h != upstream.HeaderDone {
			return h
		}
		e.In.Status = int(http.StatusOK)
	case ok && string(line) == "END":
		e.R.Logf(log.Info, nil, `key: "%s" was not found by memcached`, x.sent)
		e.In.Status, e.In.ContentLength, e.Keep = int(http.StatusNotFound), 0, true
	default:
		return complain(e, line)
	}
	e.SetStatus(e.In.Status)
	e.Take(size)
	return upstream.HeaderDone
}

func complain(e *upstream.Exchange, line []byte) upstream.Header {
	e.R.Error(`memcached sent invalid response: "%s"`, line)
	return upstream.HeaderInvalid
}

// fields reads "KEY flags length", of which $memc_flags gets the flags.
func (x *exchange) fields(e *upstream.Exchange, line, s []byte) upstream.Header {
	r := e.R
	s, ok := bytes.CutPrefix(s, x.sent)
	if !ok {
		r.Error(`memcached sent invalid key in response "%s" for key "%s"`, line, x.sent)
		return upstream.HeaderInvalid
	}
	if s, ok = bytes.CutPrefix(s, []byte{' '}); !ok {
		return complain(e, line)
	}
	flags, length, ok := bytes.Cut(s, []byte{' '})
	if !ok {
		return complain(e, line)
	}
	x.conf.flags.Assign(r, http.Val(r.Pool.String(flags)))
	if x.conf.flagsAsTime.V {
		if t, ok := conf.ParseInt(buf.String(flags)); ok {
			r.Out.LastModified = t
		}
	}
	if e.In.ContentLength, ok = conf.ParseInt(buf.String(length)); !ok {
		r.Error(`memcached sent invalid length in response "%s" for key "%s"`, line, x.sent)
		return upstream.HeaderInvalid
	}
	return upstream.HeaderDone
}

// end is what follows a value.
const end = "\r\nEND\r\n"

// StartBody implements upstream.Protocol.
func (x *exchange) StartBody(e *upstream.Exchange) error {
	e.Length = e.In.ContentLength
	if x.answer == nil && e.In.Status == int(http.StatusOK) {
		e.Length += int64(len(end))
		x.rest = len(end)
	}
	return nil
}

// Body implements upstream.Protocol.
func (x *exchange) Body(e *upstream.Exchange, b []byte) error {
	if x.answer != nil {
		e.CopyBody(b)
		return nil
	}
	if data := e.Length - int64(x.rest); data > 0 {
		n := min(int64(len(b)), data)
		e.Data(b[:n])
		e.Length -= n
		b = b[n:]
	}
	if len(b) == 0 {
		return nil
	}
	if len(b) > x.rest || string(b) != end[len(end)-x.rest:][:len(b)] {
		e.R.Error("memcached sent invalid trailer")
		e.Length, x.rest = 0, 0
		return nil
	}
	x.rest -= len(b)
	if e.Length = int64(x.rest); e.Length == 0 {
		e.Keep = true
	}
	return nil
}
