// Package charset tells the charset of responses and converts them: nginx's
// ngx_http_charset_filter_module.
package charset

import (
	"slices"
	"strings"

	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
)

// Numbers of charsets are indices into mainConf.charsets or one of these.
const (
	// off: no charset is given.
	off = -1
	// unknown: a charset that the configuration does not name.
	unknown = -2
)

// mainConf is what there is once.
type mainConf struct {
	charsets []charset
	maps     []charsetMap
	recodes  []recode
}

// charset is one that the configuration names. tables[i] converts to charset i,
// nil where there is no charset_map.
type charset struct {
	name   string
	utf8   bool
	tables []*table
}

// recode is a conversion that a location asks for.
type recode struct{ src, dst int }

// setting is a charset in the configuration: a number or a variable.
type setting struct {
	index int
	v     *http.Variable
}

// locConf is what a location says.
type locConf struct {
	charset, source conf.Opt[setting]
	override        conf.Opt[bool]
	types           conf.Opt[*http.TypeSet]
}

var (
	mainSlot = &conf.Slot[mainConf]{Level: conf.LevelMain}
	slot     = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: mergeLoc}
	key      = &http.Ctx[ctx]{}
)

// Module is the charset filter.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_charset_filter",
		Slots: []conf.AnySlot{mainSlot, slot},
		Directives: []conf.Directive{
			conf.Value(slot, "charset", conf.HTTPAnyIf, conf.Take1,
				func(c *locConf) *conf.Opt[setting] { return &c.charset }, setting{index: off}, parseCharset),
			conf.Value(slot, "source_charset", conf.HTTPAnyIf, conf.Take1,
				func(c *locConf) *conf.Opt[setting] { return &c.source }, setting{index: off}, parseSetting),
			slot.Flag("override_charset", conf.HTTPAnyIf, func(c *locConf) *conf.Opt[bool] { return &c.override }, false),
			http.TypesDirective(slot, "charset_types", conf.HTTPAny, func(c *locConf) *conf.Opt[*http.TypeSet] { return &c.types },
				"text/html", "text/html", "text/xml", "text/plain", "text/vnd.wap.wml", "application/javascript", "application/rss+xml"),
			mainSlot.Custom("charset_map", conf.HTTPMain, conf.Braces|conf.Take2, charsetMapDirective),
		},
	},
	Ctx:      []http.AnyCtx{key},
	Init:     func(cf *conf.Conf, _ *http.MainConf) error { return mainSlot.Of(cf.Scope).complete() },
	Header:   headerFilter,
	Body:     bodyFilter,
	InMemory: true,
}

func parseCharset(cf *conf.Conf) (setting, error) {
	if cf.Args[0] == "off" {
		return setting{index: off}, nil
	}
	return parseSetting(cf)
}

func parseSetting(cf *conf.Conf) (setting, error) {
	if name, ok := strings.CutPrefix(cf.Args[0], "$"); ok {
		v, err := http.MainOf(cf).Variable(cf, name)
		return setting{v: v}, err
	}
	return setting{index: mainSlot.Of(cf.Scope).add(cf.Args[0])}, nil
}

// add returns the number of a charset, which is entered if it is new.
func (m *mainConf) add(name string) int {
	if i := m.find(name); i != unknown {
		return i
	}
	m.charsets = append(m.charsets, charset{name: name, utf8: isUTF8(name)})
	return len(m.charsets) - 1
}

// find returns the number of a charset by its name in any case.
func (m *mainConf) find(name string) int {
	for i := range m.charsets {
		if strings.EqualFold(m.charsets[i].name, name) {
			return i
		}
	}
	return unknown
}

func isUTF8(name string) bool { return strings.EqualFold(name, "utf-8") }

// mergeLoc notes the conversion of a location, for which there has to be a map.
func mergeLoc(cf *conf.Conf, _, c *locConf) error {
	dst, src := c.charset.V, c.source.V
	if dst.v != nil || src.v != nil || dst.index == off || src.index == off || dst.index == src.index {
		return nil
	}
	m, rc := mainSlot.Of(cf.Scope), recode{src.index, dst.index}
	if !slices.Contains(m.recodes, rc) {
		m.recodes = append(m.recodes, rc)
	}
	return nil
}

// complete checks the conversions and makes the tables reachable.
func (m *mainConf) complete() error {
	for _, rc := range m.recodes {
		if !slices.ContainsFunc(m.maps, func(cm charsetMap) bool {
			return cm.src == rc.src && cm.dst == rc.dst || cm.src == rc.dst && cm.dst == rc.src
		}) {
			return &conf.Error{Msg: `no "charset_map" between the charsets "` + m.charsets[rc.src].name + `" and "` +
				m.charsets[rc.dst].name + `"`}
		}
	}
	for _, cm := range m.maps {
		m.connect(cm.src, cm.dst, cm.there)
		m.connect(cm.dst, cm.src, cm.back)
	}
	return nil
}

func (m *mainConf) connect(src, dst int, t *table) {
	c := &m.charsets[src]
	if c.tables == nil {
		c.tables = make([]*table, len(m.charsets))
	}
	c.tables[dst] = t
}

// table returns the conversion between two charsets, nil if there is none.
func (m *mainConf) table(src, dst int) *table {
	if src < 0 || dst < 0 || m.charsets[src].tables == nil {
		return nil
	}
	return m.charsets[src].tables[dst]
}

// ctx is the conversion of a response. In the main request it also keeps what
// its subrequests are to be converted to.
type ctx struct {
	table *table // nil: nothing is converted
	index int
	name  string
	// saved is a character that was not complete at the end of a piece.
	saved []byte
	out   []byte
	bufs  [1]http.Buf
}

func headerFilter(r *http.Request) http.Verdict {
	m, o := mainSlot.Of(r.Scope), &r.Out
	dst, name, v := destination(r, m)
	if v != http.OK {
		if v == http.Declined {
			v = http.OK
		}
		return v
	}
	src, srcName, v := source(r, m)
	switch {
	case v != http.OK:
		return v
	case src == off:
		setCharset(r, name)
		return http.OK
	case (src == unknown || dst == unknown) && src == dst && hasPrefixFold(srcName, name):
		setCharset(r, name)
		return http.OK
	case src == dst && src >= 0:
		stripParams(o)
		setCharset(r, name)
		return http.OK
	}
	if src >= 0 && dst >= 0 {
		if coding, _ := o.Get("Content-Encoding"); coding != "" {
			return http.OK
		}
	}
	t := m.table(src, dst)
	if t == nil {
		r.Logf(log.Error, nil, `no "charset_map" between the charsets "%s" and "%s"`, srcName, name)
		return http.OK
	}
	stripParams(o)
	setCharset(r, name)
	key.Set(r, &ctx{table: t, index: dst, name: m.charsets[dst].name})
	r.FilterOwnBody()
	if t.kind != tableBytes && r.IsMain() {
		o.ClearContentLength()
		o.Delete("Content-Length")
	}
	return http.OK
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// destination decides what charset the response is to have; Declined leaves it
// alone.
func destination(r *http.Request, m *mainConf) (int, string, http.Verdict) {
	if !r.IsMain() {
		return mainCharset(r.Main, m)
	}
	c, o := slot.Of(r.Scope), &r.Out
	switch {
	case o.ContentType == "":
		return 0, "", http.Declined
	case o.OverrideCharset != "":
		i := m.find(o.OverrideCharset)
		if i == unknown {
			r.Error(`unknown charset "%s" to override`, o.OverrideCharset)
			return 0, "", http.Declined
		}
		return i, o.OverrideCharset, http.OK
	case c.charset.V.v == nil && c.charset.V.index == off,
		o.Charset != "" && !c.override.V,
		o.Charset == "" && !c.types.V.Has(o.ContentType):
		return 0, "", http.Declined
	}
	return m.eval(r, c.charset.V)
}

// mainCharset is the charset of the main request, which its subrequests have to
// fit.
func mainCharset(r *http.Request, m *mainConf) (int, string, http.Verdict) {
	x := key.Of(r)
	if x == nil {
		if r.Out.Charset == "" {
			return 0, "", http.Declined
		}
		x = &ctx{index: m.find(r.Out.Charset), name: r.Out.Charset}
		key.Set(r, x)
	}
	return x.index, x.name, http.OK
}

// source decides what charset the response has.
func source(r *http.Request, m *mainConf) (int, string, http.Verdict) {
	if r.Out.Charset != "" {
		return m.find(r.Out.Charset), r.Out.Charset, http.OK
	}
	s := slot.Of(r.Scope).source.V
	if s.v == nil && s.index == off {
		return off, "", http.OK
	}
	return m.eval(r, s)
}

// eval returns the charset of a setting that is not off.
func (m *mainConf) eval(r *http.Request, s setting) (int, string, http.Verdict) {
	if s.v == nil {
		return s.index, m.charsets[s.index].name, http.OK
	}
	v := s.v.Value(r)
	if !v.Found {
		return 0, "", http.Error
	}
	return m.find(v.S), v.S, http.OK
}

// setCharset gives the main response its charset. A redirect gets none: old
// browsers took it for that of the next page.
func setCharset(r *http.Request, name string) {
	switch {
	case !r.IsMain():
	case r.Out.Status == int(http.StatusMovedPermanently) || r.Out.Status == int(http.StatusMovedTemporarily):
		r.Out.Charset = ""
	default:
		r.Out.Charset = name
	}
}

// stripParams drops the parameters of Content-Type, for the new charset.
func stripParams(o *http.HeadersOut) {
	if i := strings.IndexByte(o.ContentType, ';'); i >= 0 {
		o.ContentType = o.ContentType[:i]
	}
}

func bodyFilter(r *http.Request, in []http.Buf, next http.Next) error {
	x := key.Of(r)
	if x == nil || x.table == nil {
		return next.Write(in)
	}
	for i := range in {
		b := in[i]
		if len(b.B) > 0 {
			x.out = x.convert(x.out[:0], b.B)
			b.B = x.out
			if len(b.B) == 0 && !b.Special() {
				continue
			}
		}
		x.bufs[0] = b
		if err := next.Write(x.bufs[:]); err != nil {
			return err
		}
	}
	return nil
}
