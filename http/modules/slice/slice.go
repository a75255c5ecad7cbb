// Package slice fetches a response in ranges of a fixed size, so that each can
// be cached: nginx's ngx_http_slice_filter_module.
package slice

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
	"moongate/http/wire"
)

// locConf is what a location says.
type locConf struct{ size conf.Opt[int64] }

var (
	slot = &conf.Slot[locConf]{Level: conf.LevelLocation}
	key  = &http.Ctx[ctx]{}
)

// Module is the slice filter, which is to be the first that sees a header. Last
// is the rest of it: it has to know what was left of the response by the range
// filter, the last one.
var (
	Module = &http.Module{
		Module: conf.Module{
			Name:  "http_slice_filter",
			Slots: []conf.AnySlot{slot},
			Directives: []conf.Directive{
				slot.Size("slice", conf.HTTPAny, func(c *locConf) *conf.Opt[int64] { return &c.size }, 0),
			},
			Arguments: []string{"--with-http_slice_module"},
		},
		Ctx:       []http.AnyCtx{key},
		Variables: []http.Variable{{Name: "slice_range", Get: getRange, Volatile: true}},
		Header:    headerFilter,
		Where:     sliced,
		Body:      bodyFilter,
	}
	Last = &http.Module{Module: conf.Module{Name: "http_slice_last_filter"}, Header: lastFilter, Where: sliced}

	sliced = slot.Where(func(c *locConf) bool { return c.size.V != 0 })
)

// ctx is the state of a response in slices; the subrequests share it.
type ctx struct {
	// start is where the next slice begins, end where the response ends.
	start, end int64
	// asked is the range of the slice that is being fetched, active that its
	// header has been seen.
	asked  string
	active bool
	etag   string
}

// contentRange is a Content-Range header: bytes start to end of length.
type contentRange struct{ start, end, length int64 }

func headerFilter(r *http.Request) http.Verdict {
	x := key.Of(r)
	if x == nil {
		return http.OK
	}
	if r.Out.Status != int(http.StatusPartialContent) {
		if r.IsMain() {
			key.Set(r, nil)
			return http.OK
		}
		r.Error("unexpected status code %d in slice response", r.Out.Status)
		return http.Error
	}
	etag, ok := r.Out.Get("ETag")
	if x.etag != "" && etag != x.etag {
		r.Error("etag mismatch in slice response")
		return http.Error
	}
	if ok {
		x.etag = etag
	}
	value, _ := r.Out.Get("Content-Range")
	cr, ok := parseContentRange(value)
	switch {
	case !ok:
		r.Error("invalid range in slice response")
		return http.Error
	case cr.length == -1:
		r.Error("no complete length in slice response")
		return http.Error
	}
	end := min(cr.start+slot.Of(r.Scope).size.V, cr.length)
	if cr.start != x.start || cr.end != end {
		r.Error("unexpected range in slice response: %d-%d, expected: %d-%d", cr.start, cr.end, x.start, end)
		return http.Error
	}
	x.start, x.active = end, true

	r.Out.Status, r.Out.StatusLine = int(http.StatusOK), ""
	r.Out.ContentLength, r.Out.ContentOffset = cr.length, cr.start
	r.Out.Delete("Content-Length")
	r.Out.Delete("Content-Range")
	r.Out.Delete("Accept-Ranges")
	r.AllowRanges, r.SubrangeOK, r.SingleRange = true, true, true
	if r.IsMain() {
		x.end = cr.length
		r.FilterOwnBody()
	}
	return http.OK
}

// lastFilter takes note of the range that the client gets.
func lastFilter(r *http.Request) http.Verdict {
	x := key.Of(r)
	if x == nil || !r.IsMain() || r.Out.Status != int(http.StatusPartialContent) {
		return http.OK
	}
	size, offset := slot.Of(r.Scope).size.V, r.Out.ContentOffset
	if x.start+size <= offset {
		x.start = size * (offset / size)
	}
	x.end = offset + r.Out.ContentLength
	return http.OK
}

var (
	errMissing    = errors.New("missing slice response")
	errSubrequest = errors.New("subrequest failed")
)

// bodyFilter fetches the slices behind the first one when that has ended.
func bodyFilter(r *http.Request, in []http.Buf, next http.Next) error {
	x := key.Of(r)
	if x == nil || len(in) == 0 || !in[len(in)-1].Last {
		return next.Write(in)
	}
	in = slices.Clone(in)
	end := &in[len(in)-1]
	end.Last, end.LastInChain, end.Sync = false, true, true
	if err := next.Write(in); err != nil {
		return err
	}
	for {
		if !x.active {
			r.Error("missing slice response")
			return errMissing
		}
		if x.start >= x.end {
			break
		}
		x.active = false
		x.ask(r, slot.Of(r.Scope).size.V)
		sr := r.Subrequest(r.URI, r.Args, http.SubrequestOptions{
			Clone:   true,
			Prepare: func(sr *http.Request) { key.Set(sr, x) },
		})
		if sr == nil {
			return errSubrequest
		}
		if err := sr.Wait(); err != nil {
			return err
		}
	}
	key.Set(r, nil)
	return next.Write([]http.Buf{{Last: true, LastInChain: true}})
}

// ask sets the range of the next slice.
func (x *ctx) ask(r *http.Request, size int64) {
	const prefix = "bytes="
	b := append(r.Pool.Alloc(len(prefix) + 2*20 + 1)[:0], prefix...)
	b = append(strconv.AppendInt(b, x.start, 10), '-')
	x.asked = buf.String(strconv.AppendInt(b, x.start+size-1, 10))
}

// getRange is $slice_range. Its first use makes the response one in slices.
func getRange(r *http.Request, _ any) http.Value {
	x := key.Of(r)
	if x == nil {
		size := slot.Of(r.Scope).size.V
		if !r.IsMain() || r.Out.Status != 0 || size == 0 {
			return http.Value{}
		}
		x = &ctx{start: size * (requested(r) / size)}
		x.ask(r, size)
		key.Set(r, x)
	}
	return http.Val(x.asked)
}

// requested is the first byte that the client asks for.
func requested(r *http.Request) int64 {
	const unit = "bytes="
	v, ok := r.In.Get(wire.HeaderRange)
	if r.In.Has(wire.HeaderIfRange) || !ok || len(v) <= len(unit) || !strings.EqualFold(v[:len(unit)], unit) {
		return 0
	}
	v = strings.TrimLeft(v[len(unit):], " ")
	if strings.Contains(v, ",") {
		return 0
	}
	n, _ := number(&v)
	return n
}

// number cuts a number off s; false when there is none or it is too large.
func number(s *string) (int64, bool) {
	i := 0
	for i < len(*s) && (*s)[i]-'0' <= 9 {
		i++
	}
	n, ok := conf.ParseInt((*s)[:i])
	*s = (*s)[i:]
	return n, ok
}

// parseContentRange reads "bytes 0-99/1000" or "bytes 0-99/*", with a length of
// -1. Blanks may be between the parts.
func parseContentRange(s string) (cr contentRange, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	if !ok {
		return cr, false
	}
	for _, part := range [...]struct {
		n   *int64
		sep string
	}{{&cr.start, "-"}, {&cr.end, "/"}, {&cr.length, ""}} {
		s = strings.TrimLeft(s, " ")
		if rest, star := strings.CutPrefix(s, "*"); star && part.n == &cr.length {
			cr.length, s = -1, rest
		} else if *part.n, ok = number(&s); !ok {
			return cr, false
		}
		s = strings.TrimLeft(s, " ")
		if s, ok = strings.CutPrefix(s, part.sep); !ok {
			return cr, false
		}
	}
	cr.end++
	return cr, s == ""
}
