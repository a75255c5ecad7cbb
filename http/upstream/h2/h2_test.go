package h2

import (
	"bytes"
	"slices"
	"testing"

	"moongate/conf"
	"moongate/http"
	"moongate/http/httptest"
	"moongate/http/upstream"
	"moongate/http/wire/http2"
)

type locConf struct{ upstream.Conf }

var loc = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: func(cf *conf.Conf, outer, c *locConf) error {
	return c.Merge(cf, &outer.Conf, traits)
}}

var rows = upstream.Rows[locConf]{Slot: loc, Prefix: "test", Of: func(c *locConf) *upstream.Conf { return &c.Conf }}

var traits = &upstream.Traits{Module: "test"}

// protocol is a module's.
type protocol struct{ Stream }

func (*protocol) Request(*upstream.Exchange) http.Verdict { return http.OK }

type read struct {
	header upstream.Header
	status int
	body   string
	failed bool
	whole  bool
	keep   bool
}

func readResponse(site *httptest.Site, b []byte, size int) read {
	r := site.Get("/")
	defer r.Free()
	p := &protocol{}
	e := upstream.New(r, &loc.Of(r.Scope).Conf, traits, p)
	p.e = e
	p.attach(newConn())
	p.id, p.window = 1, http2.DefaultWindow
	h, body, err := e.Replay(b, size)
	return read{h, e.In.Status, string(body), err != nil, e.Length == 0, e.Keep}
}

// frame is one with a payload.
func frame(kind http2.FrameType, flags uint8, id uint32, payload string) []byte {
	return append(http2.AppendHead(nil, len(payload), kind, flags, id), payload...)
}

// FuzzStream: a response reads the same however its frames come, and nothing is
// left on a connection that is used again.
func FuzzStream(f *testing.F) {
	const ok = "\x88"
	end, last := uint8(http2.FlagEndHeaders), uint8(http2.FlagEndStream)
	for _, frames := range [][][]byte{
		{frame(http2.FrameSettings, 0, 0, ""), frame(http2.FrameHeaders, end, 1, ok), frame(http2.FrameData, last, 1, "hello")},
		{frame(http2.FrameHeaders, end|last, 1, ok)},
		{frame(http2.FrameHeaders, 0, 1, ok), frame(http2.FrameContinuation, end, 1, "\x40\x01a\x01b"), frame(http2.FrameData, 0, 1, "x"),
			frame(http2.FramePing, 0, 0, "12345678"), frame(http2.FrameHeaders, end|last, 1, "\x40\x01c\x01d")},
		{frame(http2.FrameHeaders, end|http2.FlagPadded|http2.FlagPriority, 1, "\x01\x00\x00\x00\x00\x10"+ok+"\x00"),
			frame(http2.FrameData, last|http2.FlagPadded, 1, "\x02hi\x00\x00"), frame(http2.FrameRST, 0, 1, "\x00\x00\x00\x00")},
		{frame(http2.FrameGoaway, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x01")}, {frame(http2.FrameWindow, 0, 0, "\x7f\xff\xff\xff")},
	} {
		f.Add(bytes.Join(frames, nil), 4)
	}
	site := httptest.New(f, "server { listen 80; test_buffer_size 1k; }", upstream.Module,
		&http.Module{Module: conf.Module{Name: "http_test", Slots: []conf.AnySlot{loc}, Directives: append(rows.Common(), rows.Headers()...)}})
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		size = max(size, 1)
		got := readResponse(site, b, len(b)+1)
		parts := readResponse(site, b, size)
		if got.header != upstream.HeaderDone || got.failed {
			return
		}
		if got.header != parts.header || got.status != parts.status || got.body != parts.body || parts.failed {
			t.Fatalf("read at once %+v, by %d %+v", got, size, parts)
		}
		if !got.keep {
			return
		}
		if !got.whole {
			t.Fatalf("a connection is used again before the end of %+v", got)
		}
		if more := readResponse(site, append(slices.Clip(b), 'x'), len(b)+2); more.keep {
			t.Fatalf("a connection with a byte more is used again, after %+v", got)
		}
	})
}
