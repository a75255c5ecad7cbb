package upstream

import (
	"bytes"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
)

// StoredValue is memcached's answer to get: a line "VALUE key flags length", the value and the line "END", or this line
// alone. Its methods are those of a Protocol.
type StoredValue struct {
	// Key is the key as it was sent.
	Key []byte
	// Flags is told of the flags in a line. It returns HeaderDone, or logs what is wrong with them and returns
	// HeaderInvalid.
	Flags func(e *Exchange, flags, line []byte) Header

	rest int // how much of storedEnd is still to come
}

// storedEnd is what follows a value.
const storedEnd = "\r\nEND\r\n"

// Header reads the first line. The status is 200, or 404 without a value.
func (v *StoredValue) Header(e *Exchange) Header {
	line, _, ok := bytes.Cut(e.Unread(), []byte{'\n'})
	if !ok {
		return HeaderAgain
	}
	size := len(line) + 1
	line, ok = bytes.CutSuffix(line, []byte{'\r'})
	fields, found := bytes.CutPrefix(line, []byte("VALUE "))
	switch {
	case ok && found:
		if h := v.fields(e, line, fields); h != HeaderDone {
			return h
		}
		e.In.Status = int(http.StatusOK)
	case ok && string(line) == "END":
		e.R.Logf(log.Info, nil, `key: "%s" was not found by memcached`, v.Key)
		e.In.Status, e.In.ContentLength, e.Keep = int(http.StatusNotFound), 0, true
	default:
		return v.invalid(e, line)
	}
	e.SetStatus(e.In.Status)
	e.Take(size)
	return HeaderDone
}

func (v *StoredValue) invalid(e *Exchange, line []byte) Header {
	e.R.Error(`memcached sent invalid response: "%s"`, line)
	return HeaderInvalid
}

// fields reads "key flags length" of a line.
func (v *StoredValue) fields(e *Exchange, line, s []byte) Header {
	s, ok := bytes.CutPrefix(s, v.Key)
	if !ok {
		e.R.Error(`memcached sent invalid key in response "%s" for key "%s"`, line, v.Key)
		return HeaderInvalid
	}
	if s, ok = bytes.CutPrefix(s, []byte{' '}); !ok {
		return v.invalid(e, line)
	}
	flags, length, ok := bytes.Cut(s, []byte{' '})
	if !ok {
		return v.invalid(e, line)
	}
	if h := v.Flags(e, flags, line); h != HeaderDone {
		return h
	}
	if e.In.ContentLength, ok = conf.ParseInt(buf.String(length)); !ok {
		e.R.Error(`memcached sent invalid length in response "%s" for key "%s"`, line, v.Key)
		return HeaderInvalid
	}
	return HeaderDone
}

// StartBody implements Protocol.
func (v *StoredValue) StartBody(e *Exchange) error {
	e.Length, v.rest = 0, 0
	if e.In.Status == int(http.StatusOK) {
		e.Length, v.rest = e.In.ContentLength+int64(len(storedEnd)), len(storedEnd)
	}
	return nil
}

// Body implements Protocol.
func (v *StoredValue) Body(e *Exchange, b []byte) error {
	if data := e.Length - int64(v.rest); data > 0 {
		n := min(int64(len(b)), data)
		e.Data(b[:n])
		e.Length -= n
		b = b[n:]
	}
	if len(b) == 0 {
		return nil
	}
	if len(b) > v.rest || string(b) != storedEnd[len(storedEnd)-v.rest:][:len(b)] {
		e.R.Error("memcached sent invalid trailer")
		e.Length, v.rest = 0, 0
		return nil
	}
	v.rest -= len(b)
	if e.Length = int64(v.rest); e.Length == 0 {
		e.Keep = true
	}
	return nil
}
