package h2

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"moongate/http/wire/http2"
)

// priority is what a PRIORITY frame says, or a HEADERS frame besides its fields.
func priority(on uint32, exclusive bool, weight int) []byte {
	if exclusive {
		on |= 1 << 31
	}
	return append(binary.BigEndian.AppendUint32(nil, on), byte(weight-1))
}

// getAfter is a request with a priority.
func (c *client) getAfter(stream uint32, path string, priority []byte) []byte {
	return frame(http2.FrameHeaders, http2.FlagEndStream|http2.FlagEndHeaders|http2.FlagPriority, stream,
		append(priority, c.header(path)...)...)
}

var orders = []struct {
	name string
	send func(c *client) [][]byte
	want []uint32
}{
	{
		"weights",
		func(c *client) [][]byte {
			return [][]byte{
				c.getAfter(3, "/page", priority(0, false, 16)),
				c.getAfter(5, "/page", priority(0, false, 256)),
				c.getAfter(7, "/page", priority(0, false, 32)),
			}
		},
		[]uint32{5, 7, 3},
	},
	{
		"dependencies on streams that are not there, which do not count",
		func(c *client) [][]byte {
			return [][]byte{
				c.getAfter(3, "/page", priority(5, false, 256)),
				c.getAfter(5, "/page", priority(7, false, 256)),
				c.getAfter(7, "/page", priority(0, false, 1)),
			}
		},
		[]uint32{3, 5, 7},
	},
	{
		"a dependency",
		func(c *client) [][]byte {
			return [][]byte{
				c.getAfter(3, "/page", priority(0, false, 1)),
				c.getAfter(5, "/page", priority(3, false, 256)),
				c.getAfter(7, "/page", priority(0, false, 2)),
			}
		},
		[]uint32{7, 3, 5},
	},
	{
		"PRIORITY frames in advance",
		func(c *client) [][]byte {
			return [][]byte{
				frame(http2.FramePriority, 0, 3, priority(0, false, 256)...),
				frame(http2.FramePriority, 0, 7, priority(0, false, 16)...),
				frame(http2.FramePriority, 0, 5, priority(0, true, 1)...),
				c.get(3, "/page"), c.get(5, "/page"), c.get(7, "/page"),
			}
		},
		[]uint32{5, 3, 7},
	},
}

// TestPriorities: of the responses that wait for room in the connection's
// window, the one goes first that no other one precedes, then the weightiest.
func TestPriorities(t *testing.T) {
	t.Parallel()
	s := start(t, `priorities
-- server.conf --
listen 127.0.0.1:8081 http2;
location / { root html; }
-- html/page --
%%0123456789abcdef*1024%%
-- html/large --
%%0123456789abcdef*8192%%
`)
	for _, o := range orders {
		t.Run(o.name, func(t *testing.T) {
			c := dial(t, s.Addr(8081), nil, http2.SettingInitialWindow, 1<<20)
			_ = c.send(c.get(1, "/large"))
			for left := http2.DefaultWindow; left > 0; {
				left -= len(c.await(t, http2.FrameData, 1).Payload)
			}
			_ = c.send(o.send(c)...)
			for waiting := 3; waiting > 0; {
				if f, err := c.read(); err != nil {
					t.Fatal(err)
				} else if f.Kind == http2.FrameHeaders {
					waiting--
				}
			}
			_ = c.send(frame(http2.FrameRST, 0, 1, 0, 0, 0, byte(http2.Cancel)), http2.AppendNumber(nil, http2.FrameWindow, 0, 1<<20))
			var got []uint32
			for len(got) < len(o.want) {
				f, err := c.read()
				if err != nil {
					t.Fatal(err)
				}
				if f.Kind == http2.FrameData && f.Has(http2.FlagEndStream) {
					got = append(got, f.ID)
				}
			}
			if !slices.Equal(got, o.want) {
				t.Errorf("responses end in the order %v, want %v", got, o.want)
			}
		})
	}
}

// TestLimitRate: each response has its own pace, and holds up no other.
func TestLimitRate(t *testing.T) {
	t.Parallel()
	s := start(t, `limit_rate
-- server.conf --
listen 127.0.0.1:8081 http2;
location / { root html; }
location /paced { root html; limit_rate 32k; sendfile_max_chunk 4k; }
-- html/paced --
%%0123456789abcdef*1280%%
-- html/page --
%%0123456789abcdef*1280%%
`)
	c := dial(t, s.Addr(8081), nil)
	begin := time.Now()
	_ = c.send(c.get(1, "/paced"), c.get(3, "/page"))
	var ended []uint32
	got := map[uint32]int{}
	for len(ended) < 2 {
		f, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Kind != http2.FrameData {
			continue
		}
		got[f.ID] += len(f.Payload)
		if f.Has(http2.FlagEndStream) {
			ended = append(ended, f.ID)
		}
		const rate, ahead = 32 << 10, 12 << 10
		if d := time.Since(begin); got[1] > ahead+int(d.Seconds()*rate) {
			t.Errorf("%d bytes after %v", got[1], d)
		}
	}
	if !slices.Equal(ended, []uint32{3, 1}) {
		t.Errorf("responses end in the order %v", ended)
	}
	if d := time.Since(begin); d < 400*time.Millisecond {
		t.Errorf("20 KB at 32 KB a second take %v", d)
	}
	const size = 16*1280 + 1
	if got[1] != size || got[3] != size {
		t.Errorf("%v bytes", got)
	}
}
