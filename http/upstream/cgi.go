package upstream

import (
	"moongate/conf"
	"moongate/http"
	"moongate/http/wire"
)

// CGI reads responses as CGI programs make them: a header with a Status field,
// which a status line may take the place of, and a body until the end. It is
// the response side of SCGI and uwsgi.
type CGI struct {
	status wire.StatusLine
	header wire.HeaderLine
	lines  bool // the status line is over
}

// Restart implements Protocol.
func (c *CGI) Restart(*Exchange) { *c = CGI{} }

// Header implements Protocol.
func (c *CGI) Header(e *Exchange) Header {
	b := e.Unread()
	if !c.lines {
		done, err := c.status.Parse(b)
		switch {
		case err != nil:
			c.status = wire.StatusLine{}
		case !done:
			return HeaderAgain
		default:
			e.SetStatus(c.status.Code)
			e.In.Status = c.status.Code
			e.In.StatusLine = e.R.Pool.String(b[c.status.Start:c.status.End])
		}
		c.lines = true
		c.header = wire.HeaderLine{Upstream: true}
		c.header.SetPos(c.status.Len())
	}
	for {
		outcome, err := c.header.Parse(b)
		l := &c.header
		switch {
		case err != nil:
			e.InvalidLine(b, l)
			return HeaderInvalid
		case outcome == wire.HeaderAgain:
			return HeaderAgain
		case outcome == wire.HeaderField:
			if h := e.Field(b[l.NameStart:l.NameEnd], b[l.ValueStart:l.ValueEnd]); h != HeaderDone {
				return h
			}
			continue
		}
		e.Take(l.Len())
		if h := e.CGIStatus(); h != HeaderDone {
			return h
		}
		e.Upgrade = e.In.Status == int(http.StatusSwitchingProtocols) && e.R.In.Has(wire.HeaderUpgrade)
		return HeaderDone
	}
}

// InvalidLine says in the log where a line of the header is wrong.
func (e *Exchange) InvalidLine(b []byte, l *wire.HeaderLine) {
	e.R.Error(`upstream sent invalid header: "%s\x%02x..."`, b[l.NameStart:l.ValueEnd], b[l.ValueEnd])
}

// CGIStatus finds the status of a response without a status line.
func (e *Exchange) CGIStatus() Header {
	in := &e.In
	switch f := in.Get(wire.HeaderStatus); {
	case in.Status != 0:
		return HeaderDone
	case f != nil:
		n, ok := int64(0), len(f.Value) >= 3
		if ok {
			n, ok = conf.ParseInt(f.Value[:3])
		}
		if !ok {
			e.R.Error(`upstream sent invalid status "%s"`, f.Value)
			return HeaderInvalid
		}
		if in.Status = int(n); len(f.Value) > 3 {
			in.StatusLine = f.Value
		}
	case in.Get(wire.HeaderLocation) != nil:
		in.Status, in.StatusLine = int(http.StatusMovedTemporarily), "302 Moved Temporarily"
	default:
		in.Status, in.StatusLine = int(http.StatusOK), "200 OK"
	}
	e.SetStatus(in.Status)
	return HeaderDone
}

// NoBody tells the responses that have no body whatever their header says.
func (e *Exchange) NoBody() bool {
	s := http.Verdict(e.In.Status)
	return s == http.StatusNoContent || s == http.StatusNotModified
}

// StartBody implements Protocol.
func (c *CGI) StartBody(e *Exchange) error {
	switch {
	case e.NoBody():
		e.Length = 0
	case e.R.Method == wire.HEAD:
		e.Length = Until
	default:
		e.Length = e.In.ContentLength
	}
	e.In.Close = true // such servers close the connection
	return nil
}

// Body implements Protocol.
func (c *CGI) Body(e *Exchange, b []byte) error {
	e.CopyBody(b)
	return nil
}
