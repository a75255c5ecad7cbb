package headersmore

import (
	"slices"

	"moongate/http"
	"moongate/http/wire"
)

// rewriteHandler changes the request header once "rewrite" and its like have
// run, before rewrite_by_lua.
func rewriteHandler(r *http.Request) http.Verdict {
	if r.Version < http.Version10 {
		return http.Declined
	}
	commands := slot.Of(r.Scope).input
	for i := range commands {
		d := &commands[i]
		if d.types != nil {
			if t, _ := r.In.Get(wire.HeaderContentType); t == "" || !slices.Contains(d.types, t) {
				continue
			}
		}
		for j := range d.fields {
			if f := &d.fields[j]; !f.setIn(r, f.eval(r), d.replace) {
				return http.Error
			}
		}
	}
	return http.Declined
}

// setIn gives the request a field, or removes it.
func (f *field) setIn(r *http.Request, value string, replace bool) bool {
	if f.wildcard && value == "" {
		return f.clearIn(r)
	}
	if replace && r.In.Find(f.name) == nil {
		return true
	}
	return r.SetHeaderIn(f.name, f.lower, value)
}

// clearIn removes all fields whose names begin with that of a wildcard.
func (f *field) clearIn(r *http.Request) bool {
	for i := 0; i < len(r.In.List); {
		if h := r.In.List[i]; !f.matches(h.Name) {
			i++
		} else if !r.SetHeaderIn(h.Name, h.Lower, "") {
			return false
		}
	}
	return true
}
