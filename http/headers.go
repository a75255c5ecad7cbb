package http

import (
	"strings"

	"moongate/http/wire"
)

// Header is one field of a request or response header. Name is as sent;
// Lower is the name in lower case.
type Header struct {
	Name, Lower, Value string
	// ID names the fields that the server itself looks at.
	ID HeaderID
	// Off: the field is not to be sent (response headers).
	Off bool
	// AsIs: a field that is sent beside what the server makes of the name, and a
	// Location that is not made absolute (response headers).
	AsIs bool
}

// HeaderID names the fields that the server itself looks at; 0 is any other.
type HeaderID = wire.HeaderID

// HeadersIn is the request header.
type HeadersIn struct {
	List []Header
	// first[id] is 1 + the index of the first field with that id.
	first [wire.NumHeaders]int32

	// ContentLength is the body's length, -1 when the request does not say.
	ContentLength int64
	// Chunked: the body comes in chunks.
	Chunked bool
	// Connection header: what it asked for.
	ConnectionClose, ConnectionKeepAlive, ConnectionUpgrade bool
	// KeepAlive is the value of the Keep-Alive header in seconds, -1 if none.
	KeepAlive int64
	// BodyRead counts the bytes of the body that have been read.
	BodyRead int64
	// User and Passwd are the Basic credentials once AuthBasic parsed them.
	User, Passwd string
	authTested   bool
	// Browser quirks, from User-Agent.
	MSIE, MSIE6, Opera, Gecko, Chrome, Safari, Konqueror bool
}

// Add appends a field; its ID decides where Get finds it.
func (h *HeadersIn) Add(f Header) {
	h.List = append(h.List, f)
	if f.ID != 0 && h.first[f.ID] == 0 {
		h.first[f.ID] = int32(len(h.List))
	}
}

// Get returns the value of the first field with that ID.
func (h *HeadersIn) Get(id HeaderID) (string, bool) {
	if i := h.first[id]; i != 0 {
		return h.List[i-1].Value, true
	}
	return "", false
}

// Has reports whether there is a field with that ID.
func (h *HeadersIn) Has(id HeaderID) bool { return h.first[id] != 0 }

// Find returns the first field with a name, in any case; nil if none.
func (h *HeadersIn) Find(name string) *Header {
	for i := range h.List {
		if strings.EqualFold(h.List[i].Name, name) {
			return &h.List[i]
		}
	}
	return nil
}

// Delete removes all fields with a name.
func (h *HeadersIn) Delete(name string) {
	kept := h.List[:0]
	for _, f := range h.List {
		if !strings.EqualFold(f.Name, name) {
			kept = append(kept, f)
		}
	}
	clear(h.List[len(kept):])
	h.List = kept
	h.reindex()
}

// Set leaves exactly one field with the name, in the place of the first.
func (h *HeadersIn) Set(name, lower, value string) {
	if f := h.Find(name); f != nil {
		f.Value = value
		first := true
		kept := h.List[:0]
		for _, f := range h.List {
			if !strings.EqualFold(f.Name, name) || first {
				first = first && !strings.EqualFold(f.Name, name)
				kept = append(kept, f)
			}
		}
		clear(h.List[len(kept):])
		h.List = kept
		h.reindex()
		return
	}
	h.Add(Header{Name: name, Lower: lower, Value: value, ID: wire.LookupHeader(lower)})
}

func (h *HeadersIn) reindex() {
	clear(h.first[:])
	for i := range h.List {
		if id := h.List[i].ID; id != 0 && h.first[id] == 0 {
			h.first[id] = int32(i + 1)
		}
	}
}

func (h *HeadersIn) reset() {
	clear(h.List)
	list := h.List[:0]
	*h = HeadersIn{} // in place: a value made of the old one would be put together elsewhere and copied
	h.List, h.ContentLength, h.KeepAlive = list, -1, -1
}

// HeadersOut is the response header. Fields with a place of their own are sent
// from there; all others are in List.
type HeadersOut struct {
	Status int
	// StatusLine replaces "200 OK" when not empty.
	StatusLine string
	// ContentType and Charset make up Content-Type; TypeLen is how much of
	// ContentType names the type (without parameters).
	ContentType string
	Charset     string
	// OverrideCharset is set where a filter fixed the charset.
	OverrideCharset string
	// ContentLength is -1 when unknown.
	ContentLength int64
	// ContentOffset is where a partial body starts in the whole.
	ContentOffset int64
	// LastModified in Unix seconds, -1 for none.
	LastModified int64
	// RawLocation: Location is sent as it is, whatever absolute_redirect says.
	RawLocation bool
	List        []Header
	Trailers    []Header
}

// Find returns the first field with a name that is to be sent; nil if none.
func (h *HeadersOut) Find(name string) *Header {
	for i := range h.List {
		if f := &h.List[i]; !f.Off && strings.EqualFold(f.Name, name) {
			return f
		}
	}
	return nil
}

// Get returns the value of the first field with a name.
func (h *HeadersOut) Get(name string) (string, bool) {
	if f := h.Find(name); f != nil {
		return f.Value, true
	}
	return "", false
}

// Add appends a field.
func (h *HeadersOut) Add(name, value string) {
	h.List = append(h.List, Header{Name: name, Value: value})
}

// Set leaves exactly one field with the name; an empty value removes it.
func (h *HeadersOut) Set(name, value string) {
	done := value == ""
	for i := range h.List {
		f := &h.List[i]
		if f.Off || !strings.EqualFold(f.Name, name) {
			continue
		}
		if done {
			f.Off = true
			continue
		}
		f.Value, done = value, true
	}
	if !done {
		h.Add(name, value)
	}
}

// Delete removes all fields with a name.
func (h *HeadersOut) Delete(name string) { h.Set(name, "") }

// Suppress removes all fields with a name; the server does not make one itself.
func (h *HeadersOut) Suppress(name string) {
	h.Delete(name)
	h.List = append(h.List, Header{Name: name, Off: true})
}

// AddBeside appends a field as add_header does: the server makes its own of that
// name all the same.
func (h *HeadersOut) AddBeside(name, value string) {
	h.List = append(h.List, Header{Name: name, Value: value, AsIs: true})
}

// Decided reports whether a field was added or suppressed, so that the server
// does not make one itself.
func (h *HeadersOut) Decided(name string) bool {
	for i := range h.List {
		if f := &h.List[i]; !f.AsIs && strings.EqualFold(f.Name, name) {
			return true
		}
	}
	return false
}

// ClearContentLength makes the length of the body unknown.
func (h *HeadersOut) ClearContentLength() { h.ContentLength = -1 }

// ClearLastModified removes Last-Modified.
func (h *HeadersOut) ClearLastModified() {
	h.LastModified = -1
	h.Delete("Last-Modified")
}

func (h *HeadersOut) reset() {
	clear(h.List)
	clear(h.Trailers)
	list, trailers := h.List[:0], h.Trailers[:0]
	*h = HeadersOut{} // in place, as in HeadersIn.reset
	h.List, h.Trailers, h.ContentLength, h.LastModified = list, trailers, -1, -1
}

// ClearAcceptRanges makes ranges inapplicable, as a filter that changes the
// body has to.
func (r *Request) ClearAcceptRanges() {
	r.AllowRanges = false
	r.Out.Delete("Accept-Ranges")
}

// ClearETag removes ETag.
func (r *Request) ClearETag() { r.Out.Delete("ETag") }

// WeakETag makes a strong ETag weak, as a filter that changes the
// representation but not the meaning has to.
func (r *Request) WeakETag() {
	f := r.Out.Find("ETag")
	if f == nil || strings.HasPrefix(f.Value, "W/") {
		return
	}
	if len(f.Value) < 2 || f.Value[0] != '"' {
		f.Off = true
		return
	}
	f.Value = r.Pool.Concat("W/", f.Value)
}

// TypeHasParams reports whether ContentType has parameters, so that no charset
// is added.
func (h *HeadersOut) TypeHasParams() bool { return strings.IndexByte(h.ContentType, ';') >= 0 }
