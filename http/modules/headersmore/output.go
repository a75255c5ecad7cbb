package headersmore

import (
	"slices"
	"strings"

	"moongate/http"
	"moongate/http/wire"
)

// single reports whether a response has at most one field of the name, which
// takes the spelling of the directive.
func (f *field) single() bool {
	switch f.id {
	case wire.HeaderServer, wire.HeaderDate, wire.HeaderContentEncoding, wire.HeaderLocation, wire.HeaderRefresh,
		wire.HeaderLastModified, wire.HeaderContentRange, wire.HeaderAcceptRanges, wire.HeaderWWWAuthenticate,
		wire.HeaderExpires, wire.HeaderContentLength, wire.HeaderContentType, wire.HeaderCacheControl:
		return true
	}
	return false
}

func headerFilter(r *http.Request) http.Verdict {
	commands := slot.Of(r.Scope).output
	for i := range commands {
		d := &commands[i]
		if d.types != nil && !slices.Contains(d.types, http.MediaType(r.Out.ContentType)) ||
			d.statuses != nil && !slices.Contains(d.statuses, r.Out.Status) {
			continue
		}
		for j := range d.fields {
			if f := &d.fields[j]; !f.setOut(r, f.eval(r), d.add) {
				return http.Error
			}
		}
	}
	return http.OK
}

// setOut gives the response a field, or removes it. It reports false for a
// length that is none.
func (f *field) setOut(r *http.Request, value string, add bool) bool {
	o := &r.Out
	switch f.id {
	case wire.HeaderContentType:
		o.ContentType = value
		if charset, ok := charsetOf(value); ok {
			o.Charset = charset
		}
		o.Delete(f.name)
		return true
	case wire.HeaderContentLength:
		n, ok := wire.ParseLength(value)
		switch {
		case value == "":
			n = -1
		case !ok:
			return false
		}
		o.ContentLength = n
		o.Delete(f.name)
		return true
	case wire.HeaderLastModified:
		if value == "" {
			o.ClearLastModified()
			return true
		}
	case wire.HeaderAcceptRanges:
		if value == "" {
			r.AllowRanges = false
		}
	case wire.HeaderServer, wire.HeaderDate:
		if value == "" {
			o.Suppress(f.name)
			return true
		}
	}
	if add {
		if value != "" {
			o.Add(f.name, value)
		}
		return true
	}
	f.setListed(o, value)
	return true
}

// setListed changes the first field that matches and removes the others.
func (f *field) setListed(o *http.HeadersOut, value string) {
	found := false
	for i := range o.List {
		h := &o.List[i]
		switch {
		case h.Off || !f.matches(h.Name):
			continue
		case value == "" || found:
			h.Off = true
		default:
			h.Value = value
			if f.single() && f.id != wire.HeaderCacheControl {
				h.Name = f.name
			}
		}
		found = true
	}
	if !found && value != "" {
		o.Add(f.name, value)
	}
}

// charsetOf returns the charset parameter of a media type.
func charsetOf(value string) (string, bool) {
	rest := value[len(http.MediaType(value)):]
	if rest == "" {
		return "", false
	}
	const charset = "charset="
	rest = strings.TrimLeft(rest[1:], " ")[len(charset):]
	return strings.TrimSuffix(strings.TrimPrefix(rest, `"`), `"`), true
}
