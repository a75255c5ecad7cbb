// Package compress is what the content codings have in common: the filter that
// encodes a response while it passes (gzip, brotli, zstd), and the handler that
// sends a file which was encoded beforehand (gzip_static, brotli_static,
// zstd_static). A coding's module adds its encoder and its limits.
package compress

import (
	"io"
	"os"

	"moongate/conf"
	"moongate/http"
)

// Encoder turns what is written to it into its encoded form.
type Encoder interface {
	io.WriteCloser
	// Flush makes everything that was written so far decodable.
	Flush() error
	// Reset begins a new body.
	Reset(w io.Writer)
}

// Conf is what a location says of a coding.
type Conf struct {
	Enable    conf.Opt[bool]
	Bufs      conf.Opt[conf.Bufs]
	Types     conf.Opt[*http.TypeSet]
	Level     conf.Opt[int64]
	Window    conf.Opt[int64]
	MinLength conf.Opt[int64]
	// Postpone is how much of a body is collected before it is encoded.
	Postpone conf.Opt[int64]
	// NoBuffer sends what the encoder gave at once, however little it is.
	NoBuffer conf.Opt[bool]
}

// Filter encodes responses with one coding. It is declared once by a module,
// as a package variable.
type Filter struct {
	// Coding is its name in Content-Encoding.
	Coding string
	// Accepts reports whether the client of a request takes the coding and
	// nothing forbids it.
	Accepts func(r *http.Request) bool
	// New makes an encoder.
	New func(sc *conf.Scope, level, window int64) (Encoder, error)
	// Spare makes an encoder that needs little memory, for the responses above
	// maxOpen; without it those are not encoded.
	Spare func() (Encoder, error)
	// Whole appends the encoded form of a body of at most Small bytes, which
	// needs no encoder.
	Whole func(dst, body []byte) []byte
	Small int64

	slot  conf.Slot[Conf]
	pools conf.Slot[pool]
	key   http.Ctx[stream]
}

// Module completes m, which has the coding's name and the rows that are not
// common to all of them.
func (f *Filter) Module(m http.Module) *http.Module {
	f.pools.Level, f.slot.Level = conf.LevelMain, conf.LevelLocation
	m.Slots = append(m.Slots, &f.pools, &f.slot)
	m.Ctx = []http.AnyCtx{&f.key}
	m.Header, m.Body, m.InMemory = f.header, f.body, true
	m.Where = f.slot.Where(func(c *Conf) bool { return c.Enable.V })
	return &m
}

// Slot is where the rows keep their values.
func (f *Filter) Slot() *conf.Slot[Conf] { return &f.slot }

// Rows are the directives that every coding has: name, name_types,
// name_buffers and name_min_length.
func (f *Filter) Rows(name string) []conf.Directive {
	const in = conf.HTTPAny
	page := int64(os.Getpagesize())
	return []conf.Directive{
		f.slot.Flag(name, conf.HTTPAnyIf, func(c *Conf) *conf.Opt[bool] { return &c.Enable }, false),
		http.TypesDirective(&f.slot, name+"_types", in, func(c *Conf) *conf.Opt[*http.TypeSet] { return &c.Types },
			"text/html", "text/html"),
		f.slot.Bufs(name+"_buffers", in, func(c *Conf) *conf.Opt[conf.Bufs] { return &c.Bufs },
			conf.Bufs{N: int(128 << 10 / page), Size: page}),
		f.slot.Size(name+"_min_length", in, func(c *Conf) *conf.Opt[int64] { return &c.MinLength }, 20),
	}
}

// header decides whether the response is encoded.
func (f *Filter) header(r *http.Request) http.Verdict {
	c, o := f.slot.Of(r.Scope), &r.Out
	switch http.Verdict(o.Status) {
	case http.StatusOK, http.StatusForbidden, http.StatusNotFound:
	default:
		return http.OK
	}
	if coding, _ := o.Get("Content-Encoding"); coding != "" || r.HeaderOnly ||
		o.ContentLength != -1 && o.ContentLength < c.MinLength.V || !c.Types.V.Has(o.ContentType) {
		return http.OK
	}
	r.GzipVary = true
	p := f.pools.Of(r.Scope)
	if p.open >= maxOpen && f.Spare == nil || !f.Accepts(r) {
		return http.OK
	}
	f.key.Set(r, p.stream(f, r, c))
	r.FilterOwnBody()
	o.Add("Content-Encoding", f.Coding)
	o.ClearContentLength()
	o.Delete("Content-Length")
	r.ClearAcceptRanges()
	r.WeakETag()
	return http.OK
}

// workPerByte is how much more work it is to encode a byte than to send it.
const workPerByte = 8

// body encodes pieces of the body.
func (f *Filter) body(r *http.Request, in []http.Buf, next http.Next) error {
	s := f.key.Of(r)
	if s == nil || s.done || r.HeaderOnly {
		return next.Write(in)
	}
	s.next = next
	for i := range in {
		if err := s.write(&in[i]); err != nil {
			s.finish()
			return err
		}
		r.Loop().Spend(workPerByte * len(in[i].B))
	}
	if s.conf.NoBuffer.V && s.enc != nil {
		return s.send(http.Buf{})
	}
	return nil
}

// Ratio returns the sizes of the body before and after encoding, once it ended.
func (f *Filter) Ratio(r *http.Request) (in, out int64, ok bool) {
	s := f.key.Of(r)
	if s == nil || !s.done || s.out == 0 {
		return 0, 0, false
	}
	return s.in, s.out, true
}

// RoundedRatio is $gzip_ratio and $brotli_ratio: two digits, rounded.
func (f *Filter) RoundedRatio(r *http.Request, _ any) http.Value {
	in, out, ok := f.Ratio(r)
	if !ok {
		return http.Value{}
	}
	hundredths := in * 100 / out
	if in*1000/out%10 > 4 {
		hundredths++
	}
	return http.Val(Decimal(r, hundredths, 2))
}

// Decimal writes n with a point before its last digits.
func Decimal(r *http.Request, n int64, digits int) string {
	s := r.Pool.Int(n)
	for len(s) <= digits {
		s = r.Pool.Concat("0", s)
	}
	return r.Pool.Concat(s[:len(s)-digits], ".", s[len(s)-digits:])
}
