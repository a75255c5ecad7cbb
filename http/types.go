package http

import (
	"strings"

	"moongate/conf"
	"moongate/http/wire"
)

// Types maps file name extensions, in lower case, to media types.
type Types struct{ byExten map[string]string }

// defaultTypes is the table where no block has one.
var defaultTypes = &Types{map[string]string{"html": "text/html", "gif": "image/gif", "jpg": "image/jpeg"}}

// maxTypeName bounds the extensions and media types that are looked up; longer
// ones are in no table.
const maxTypeName = 128

// Lookup returns the media type for an extension in any case, "" if none.
func (t *Types) Lookup(exten string) string {
	var lower [maxTypeName]byte
	if len(exten) > len(lower) {
		return ""
	}
	return t.byExten[string(wire.AppendLower(lower[:0], exten))]
}

// typesDirective is "types { type exten …; }". All such blocks of one level
// fill one table, which replaces the inherited one.
func typesDirective(cf *conf.Conf, l *LocConf) error {
	if l.Types == nil {
		l.Types = &Types{map[string]string{}}
	}
	table := l.Types.byExten
	return cf.Lines(func(cf *conf.Conf) error {
		if cf.Name == "include" {
			return cf.Errorf(`invalid number of arguments in "include" directive`)
		}
		for _, exten := range cf.Args {
			exten = strings.ToLower(exten)
			if len(exten) > maxTypeName {
				return cf.Errorf(`too long extension "%s"`, exten)
			}
			if old, ok := table[exten]; ok {
				cf.Warnf(`duplicate extension "%s", content type: "%s", previous content type: "%s"`, exten, cf.Name, old)
			}
			table[exten] = cf.Name
		}
		return nil
	})
}

// SetContentType gives the response the type for the extension of the URI,
// unless it has one: nginx's ngx_http_set_content_type.
func (r *Request) SetContentType() {
	if r.Out.ContentType != "" {
		return
	}
	if r.Exten != "" {
		if t := r.Core.Types.Lookup(r.Exten); t != "" {
			r.Out.ContentType = t
			return
		}
	}
	r.Out.ContentType = r.Core.DefaultType.V
}

// TypeSet is a set of media types, such as gzip_types.
type TypeSet struct {
	any   bool
	types map[string]bool
}

// Has reports whether the type of a response, given by its Content-Type, is in
// the set. A charset parameter does not count, any other one does, as in nginx.
func (t *TypeSet) Has(contentType string) bool {
	if t.any {
		return true
	}
	name := MediaType(contentType)
	var lower [maxTypeName]byte
	if name == "" || len(name) > len(lower) {
		return false
	}
	return t.types[string(wire.AppendLower(lower[:0], name))]
}

// MediaType returns what stands before the charset parameter of a Content-Type.
func MediaType(s string) string {
	for i := range len(s) {
		if s[i] != ';' {
			continue
		}
		param := strings.TrimLeft(s[i+1:], " ")
		const charset = "charset="
		if len(param) >= len(charset) && strings.EqualFold(param[:len(charset)], charset) {
			return s[:i]
		}
	}
	return s
}

// TypesDirective is a row "name type …;". The given types join always, which
// every directive of this kind includes (text/html in most); "*" stands for
// all types. Where no block has the directive, the set is defaults.
func TypesDirective[C any](s *conf.Slot[C], name string, in conf.Context, field func(*C) *conf.Opt[*TypeSet],
	always string, defaults ...string) conf.Directive {
	def := &TypeSet{types: make(map[string]bool)}
	for _, t := range defaults {
		def.types[t] = true
	}
	return conf.Repeat(s, name, in, conf.OneMore, field, def, func(cf *conf.Conf, o *conf.Opt[*TypeSet]) error {
		if !o.Set {
			o.Put(&TypeSet{types: make(map[string]bool)})
			if always != "" {
				o.V.types[always] = true
			}
		}
		o.V.add(cf)
		return nil
	})
}

// add enters the arguments of a directive.
func (t *TypeSet) add(cf *conf.Conf) {
	for _, arg := range cf.Args {
		if t.any || arg == "*" {
			t.any = true
			return
		}
		arg = strings.ToLower(arg)
		if t.types[arg] {
			cf.Warnf(`duplicate MIME type "%s"`, arg)
		}
		t.types[arg] = true
	}
}
