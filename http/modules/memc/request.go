package memc

import (
	"strconv"

	"moongate/http"
	"moongate/http/upstream"
	"moongate/http/wire"
)

// command is what is to be known of a command of memcached.
type command struct {
	key     bool // it has $memc_key
	storage bool // and $memc_flags, $memc_exptime and a block of data
	number  bool // $memc_value is a number on its line
	exptime bool // $memc_exptime may follow
	// answer is the line that answers it if all is well.
	answer func(line []byte) outcome
}

var commands = map[string]command{
	"get":       {key: true},
	"set":       {key: true, storage: true, answer: stored},
	"add":       {key: true, storage: true, answer: stored},
	"replace":   {key: true, storage: true, answer: stored},
	"append":    {key: true, storage: true, answer: stored},
	"prepend":   {key: true, storage: true, answer: stored},
	"delete":    {key: true, exptime: true, answer: deleted},
	"incr":      {key: true, number: true, answer: counted},
	"decr":      {key: true, number: true, answer: counted},
	"flush_all": {exptime: true, answer: flushed},
	"stats":     {answer: listed},
	"version":   {answer: versioned},
}

// exchange is the state of one request.
type exchange struct {
	upstream.StoredValue // the answer to get
	command
	conf *locConf
	name string
}

// Decimal digits that a number of 32 and of 64 bits may have.
const (
	digits32 = 10
	digits64 = 20
)

func decimal(s string, digits int) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) <= digits
}

// check judges the variables before a peer is asked.
func (x *exchange) check(r *http.Request) http.Verdict {
	c := x.conf
	if x.storage || x.exptime {
		if s := c.exptime.Value(r).S; !decimal(s, digits32) {
			r.Error(`variable "$memc_exptime" takes invalid value: %s`, s)
			return http.StatusBadRequest
		}
	}
	if x.storage {
		if s := c.flags.Value(r).S; !decimal(s, digits32) {
			r.Error(`variable "$memc_flags" takes invalid value: %s`, s)
			return http.StatusBadRequest
		}
	}
	if x.number {
		switch s := c.data.Value(r).S; {
		case s == "":
			r.Error(`the "$memc_value" variable is required for command "%s"`, x.name)
			return http.StatusBadRequest
		case !decimal(s, digits64):
			r.Error(`variable "$memc_value" is invalid for incr/decr: %s`, s)
			return http.StatusBadRequest
		}
	}
	return http.OK
}

// Request implements upstream.Protocol.
func (x *exchange) Request(e *upstream.Exchange) http.Verdict {
	r, c := e.R, x.conf
	b := append(e.Buffer(), x.name...)
	if x.key {
		key := c.key.Value(r).S
		if key == "" {
			r.Error(`the "$memc_key" variable is not set`)
			return http.StatusInternalServerError
		}
		b = append(b, ' ')
		start := len(b)
		b = wire.AppendEscaped(b, key, wire.EscapeMemcached)
		x.Key = b[start:]
	}
	if x.storage {
		return x.store(e, b)
	}
	if x.number {
		b = append(append(b, ' '), c.data.Value(r).S...)
	}
	if s := c.exptime.Value(r).S; x.exptime && s != "" {
		b = append(append(b, ' '), s...)
	}
	e.Begin(append(b, '\r', '\n'), upstream.BodyNone)
	return http.OK
}

// store completes the request of a storage command: $memc_value is stored or,
// where that was never set, the body of the client's request.
func (x *exchange) store(e *upstream.Exchange, b []byte) http.Verdict {
	r, c := e.R, x.conf
	value, body := c.data.Value(r), r.Body
	size := int64(len(value.S))
	if !value.Found {
		if body == nil || body.Size == 0 {
			r.Error(`neither the "$memc_value" variable nor the request body is available`)
			return http.StatusInternalServerError
		}
		size = body.Size
	}
	for _, v := range []*http.Variable{c.flags, c.exptime} {
		if v.Value(r).S == "" {
			v.Assign(r, http.Val("0"))
		}
		b = append(append(b, ' '), v.Value(r).S...)
	}
	b = append(strconv.AppendInt(append(b, ' '), size, 10), '\r', '\n')
	switch {
	case value.Found:
		b = append(b, value.S...)
	case body.File == nil:
		b = append(b, body.Bytes...)
	default:
		e.Protocol = bodyFile{x}
		e.Begin(b, upstream.BodyRead)
		return http.OK
	}
	e.Begin(append(b, '\r', '\n'), upstream.BodyNone)
	return http.OK
}

// bodyFile is an exchange whose data come from a file.
type bodyFile struct{ *exchange }

// Room implements upstream.Framer.
func (bodyFile) Room(_ *upstream.Exchange, n int, _ bool) (int, error) { return n, nil }

var crlf = []byte("\r\n")

// Frame implements upstream.Framer: only the end is marked.
func (bodyFile) Frame(_ *upstream.Exchange, _ int, last bool) (head, tail []byte) {
	if last {
		tail = crlf
	}
	return nil, tail
}
