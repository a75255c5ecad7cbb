package log

import (
	"slices"
	"strconv"
	"strings"

	"moongate/conf"
	"moongate/http"
	"moongate/http/wire"
)

// combined is the format that is always there.
const combined = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`

// format is a log_format, compiled.
type format struct {
	name string
	ops  []op
	used bool
}

// escaping is how the values of variables are written.
type escaping uint8

const (
	escapeDefault escaping = iota
	escapeJSON
	escapeNone
)

// op writes a part of a line.
type op struct {
	kind    opKind
	literal string
	v       *http.Variable
	escape  escaping
}

// opKind tells what an op writes. Those after opVariable are variables that are
// written without making a string of their value first; they need no escaping.
type opKind uint8

const (
	opLiteral opKind = iota
	opVariable
	opPipe
	opTimeLocal
	opTimeISO8601
	opMsec
	opRequestTime
	opStatus
	opBytesSent
	opBodyBytesSent
	opRequestLength
)

// direct are the variables with an op of their own, in the order of the ops.
var direct = []string{"pipe", "time_local", "time_iso8601", "msec", "request_time", "status", "bytes_sent",
	"body_bytes_sent", "request_length"}

// find returns the format of that name, in any case; nil if there is none.
func (m *mainConf) find(name string) *format {
	for _, f := range m.formats {
		if strings.EqualFold(f.name, name) {
			return f
		}
	}
	return nil
}

// formatDirective is "log_format name [escape=default|json|none] string …".
func formatDirective(cf *conf.Conf, m *mainConf) error {
	for _, f := range m.formats {
		if f.name == cf.Args[0] {
			return cf.Errorf(`duplicate "log_format" name "%s"`, f.name)
		}
	}
	f := &format{name: cf.Args[0]}
	m.formats = append(m.formats, f)
	texts := cf.Args[1:]
	escape := escapeDefault
	if kind, ok := strings.CutPrefix(texts[0], "escape="); ok {
		switch kind {
		case "json":
			escape = escapeJSON
		case "none":
			escape = escapeNone
		case "default":
		default:
			return cf.Errorf(`unknown log format escaping "%s"`, kind)
		}
		texts = texts[1:]
	}
	for _, text := range texts {
		if err := f.compile(cf, http.MainOf(cf), text, escape); err != nil {
			return err
		}
	}
	return nil
}

// compileCombined compiles the predefined format, unless nobody asked for it.
func (f *format) compileCombined(cf *conf.Conf, m *http.MainConf) error {
	if !f.used {
		return nil
	}
	return f.compile(cf, m, combined, escapeDefault)
}

// compile appends the ops for a text with variables.
func (f *format) compile(cf *conf.Conf, m *http.MainConf, s string, escape escaping) error {
	for s != "" {
		at := strings.IndexByte(s, '$')
		if at != 0 {
			if at < 0 {
				at = len(s)
			}
			f.ops = append(f.ops, op{literal: s[:at]})
			s = s[at:]
			continue
		}
		name, rest, err := variableName(cf, s)
		if err != nil {
			return err
		}
		s = rest
		if i := slices.Index(direct, name); i >= 0 {
			f.ops = append(f.ops, op{kind: opPipe + opKind(i)})
			continue
		}
		v, err := m.Variable(cf, name)
		if err != nil {
			return err
		}
		f.ops = append(f.ops, op{kind: opVariable, v: v, escape: escape})
	}
	return nil
}

// variableName reads the variable that s begins with.
func variableName(cf *conf.Conf, s string) (name, rest string, err error) {
	start := 1
	brace := strings.HasPrefix(s, "${")
	if brace {
		start++
	}
	end := start
	for end < len(s) && (s[end] == '_' || s[end]-'0' <= 9 || (s[end]|0x20)-'a' <= 'z'-'a') {
		end++
	}
	name, rest = s[start:end], s[end:]
	switch {
	case len(s) == start:
		return "", "", cf.Errorf(`invalid parameter "%s"`, s)
	case brace && !strings.HasPrefix(rest, "}"):
		return "", "", cf.Errorf(`the closing bracket in "%s" variable is missing`, name)
	case name == "":
		return "", "", cf.Errorf(`invalid parameter "%s"`, s)
	case brace:
		rest = rest[1:]
	}
	return name, rest, nil
}

// append appends the line of a request, without the line feed.
func (f *format) append(b []byte, r *http.Request) []byte {
	for i := range f.ops {
		o := &f.ops[i]
		switch o.kind {
		case opLiteral:
			b = append(b, o.literal...)
		case opVariable:
			b = o.appendVariable(b, r)
		default:
			b = o.appendDirect(b, r)
		}
	}
	return b
}

// appendVariable appends the value of a variable, escaped.
func (o *op) appendVariable(b []byte, r *http.Request) []byte {
	v := o.v.Value(r)
	switch {
	case o.escape == escapeJSON:
		return wire.AppendJSON(b, v.S)
	case o.escape == escapeNone:
		return append(b, v.S...)
	case !v.Found:
		return append(b, '-')
	}
	return wire.AppendLog(b, v.S, locSlot.Of(r.Scope).escapeNonASCII.V)
}

// appendDirect appends what needs no variable.
func (o *op) appendDirect(b []byte, r *http.Request) []byte {
	switch o.kind {
	case opPipe:
		if r.Pipelined {
			return append(b, 'p')
		}
		return append(b, '.')
	case opTimeLocal:
		return append(b, r.Conn.Worker.Clock.Times().Common...)
	case opTimeISO8601:
		return append(b, r.Conn.Worker.Clock.Times().ISO8601...)
	case opMsec:
		return appendSeconds(b, r.Loop().Now().UnixMilli())
	case opRequestTime:
		return appendSeconds(b, r.Loop().Now().UnixMilli()-r.Start.UnixMilli())
	case opStatus:
		return appendStatus(b, r)
	case opBytesSent:
		return strconv.AppendInt(b, r.Main.BytesSent, 10)
	case opBodyBytesSent:
		return strconv.AppendInt(b, max(r.Main.BytesSent-r.HeaderSize, 0), 10)
	}
	return strconv.AppendInt(b, r.RequestLength, 10)
}

// appendSeconds appends milliseconds as "12.345".
func appendSeconds(b []byte, ms int64) []byte {
	ms = max(ms, 0)
	b = strconv.AppendInt(b, ms/1000, 10)
	f := ms % 1000
	return append(b, '.', byte('0'+f/100), byte('0'+f/10%10), byte('0'+f%10))
}

// appendStatus appends the status in at least three digits; a request of
// HTTP/0.9 without one has 009.
func appendStatus(b []byte, r *http.Request) []byte {
	n := r.ErrStatus
	if n == 0 {
		n = r.Out.Status
	}
	if n == 0 && r.Version == http.Version9 {
		n = 9
	}
	for limit := 100; limit > 1 && n < limit; limit /= 10 {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, int64(n), 10)
}
