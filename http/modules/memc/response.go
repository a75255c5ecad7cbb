package memc

import (
	"bytes"

	"moongate/conf"
	"moongate/core/buf"
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
		return x.StoredValue.Header(e)
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

// flags gives $memc_flags the flags of a value.
func (x *exchange) flags(e *upstream.Exchange, flags, _ []byte) upstream.Header {
	x.conf.flags.Assign(e.R, http.Val(e.R.Pool.String(flags)))
	if x.conf.flagsAsTime.V {
		if t, ok := conf.ParseInt(buf.String(flags)); ok {
			e.R.Out.LastModified = t
		}
	}
	return upstream.HeaderDone
}

// StartBody implements upstream.Protocol.
func (x *exchange) StartBody(e *upstream.Exchange) error {
	if x.answer == nil {
		return x.StoredValue.StartBody(e)
	}
	e.Length = e.In.ContentLength
	return nil
}

// Body implements upstream.Protocol.
func (x *exchange) Body(e *upstream.Exchange, b []byte) error {
	if x.answer == nil {
		return x.StoredValue.Body(e, b)
	}
	e.CopyBody(b)
	return nil
}
