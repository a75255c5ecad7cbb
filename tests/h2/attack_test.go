package h2

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"moongate/http/wire/http2"
	"moongate/tests/spec"
)

// attack is what one client does that means harm, on one connection.
type attack struct {
	name string
	// begin comes once, again then over and over, given how often it came.
	begin func(c *client) []byte
	again func(c *client, n int) []byte
	// deaf: the client does not read.
	deaf bool
	// The connection is closed with this in the log, after at most so many bytes.
	log  string
	code http2.Code
	most int
}

// stream is the number of the stream that is the nth.
func stream(n int) uint32 { return uint32(2*n + 1) }

var attacks = []attack{
	{
		name: "rapid reset",
		again: func(c *client, n int) []byte {
			return append(c.get(stream(n), "/slow"), frame(http2.FrameRST, 0, stream(n), 0, 0, 0, 8)...)
		},
		log: "client sent too many refused streams", most: 1 << 20,
	},
	{
		name:  "CONTINUATION",
		begin: func(c *client) []byte { return frame(http2.FrameHeaders, 0, 1, c.header("/")...) },
		again: func(c *client, n int) []byte {
			return frame(http2.FrameContinuation, 0, 1, c.encode("x-"+strconv.Itoa(n), "value")...)
		},
		log: "client sent too many CONTINUATION frames", code: http2.EnhanceYourCalm, most: 1 << 20,
	},
	{
		name:  "empty CONTINUATION",
		begin: func(c *client) []byte { return frame(http2.FrameHeaders, 0, 1, c.header("/")...) },
		again: func(*client, int) []byte { return frame(http2.FrameContinuation, 0, 1) },
		log:   "client sent too many CONTINUATION frames", code: http2.EnhanceYourCalm, most: 1 << 20,
	},
	{
		name:  "large header",
		begin: func(c *client) []byte { return frame(http2.FrameHeaders, 0, 1, c.header("/")...) },
		again: func(c *client, n int) []byte {
			return frame(http2.FrameContinuation, 0, 1, c.encode("x-"+strconv.Itoa(n), strings.Repeat("a", 4000))...)
		},
		log: "client sent too large header", code: http2.EnhanceYourCalm, most: 1 << 20,
	},
	{
		name: "header bomb", // one entry of the table, named over and over
		begin: func(c *client) []byte {
			return frame(http2.FrameHeaders, 0, 1, c.header("/", "x-bomb", strings.Repeat("b", 4000))...)
		},
		again: func(*client, int) []byte {
			return frame(http2.FrameContinuation, 0, 1, bytes.Repeat([]byte{0xbe}, 10000)...)
		},
		log: "client sent too large header", code: http2.EnhanceYourCalm, most: 1 << 20,
	},
	{
		name:  "PING",
		again: func(*client, int) []byte { return frame(http2.FramePing, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8) },
		log:   "http2 flood detected", most: 16 << 20,
	},
	{
		name: "PING, answers not read", deaf: true,
		again: func(*client, int) []byte { return frame(http2.FramePing, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8) },
		log:   "http2 flood detected", most: 16 << 20,
	},
	{
		name:  "SETTINGS",
		again: func(*client, int) []byte { return frame(http2.FrameSettings, 0, 0) },
		log:   "http2 flood detected", most: 16 << 20,
	},
	{
		name: "SETTINGS, answers not read", deaf: true,
		again: func(*client, int) []byte {
			return frame(http2.FrameSettings, 0, 0, http2.AppendSetting(nil, http2.SettingInitialWindow, 1)...)
		},
		log: "http2 flood detected", most: 16 << 20,
	},
	{
		name: "empty DATA",
		begin: func(c *client) []byte {
			return frame(http2.FrameHeaders, http2.FlagEndHeaders, 1, c.header("/slow")...)
		},
		again: func(*client, int) []byte { return frame(http2.FrameData, 0, 1) },
		log:   "http2 flood detected", most: 16 << 20,
	},
	{
		name:  "PRIORITY",
		again: func(_ *client, n int) []byte { return frame(http2.FramePriority, 0, stream(n), 0, 0, 0, byte(n), 1) },
		log:   "client sent too many PRIORITY frames", code: http2.EnhanceYourCalm, most: 1 << 20,
	},
	{
		name:  "WINDOW_UPDATE",
		again: func(*client, int) []byte { return http2.AppendNumber(nil, http2.FrameWindow, 0, 1) },
		log:   "http2 flood detected", most: 16 << 20,
	},
	{
		name:  "unknown frames",
		again: func(*client, int) []byte { return frame(77, 0, 0, make([]byte, 1000)...) },
		log:   "http2 flood detected", most: 16 << 20,
	},
	{
		name: "streams without end",
		again: func(c *client, n int) []byte {
			return frame(http2.FrameHeaders, http2.FlagEndHeaders, stream(n), c.header("/slow")...)
		},
		log: "client sent too many refused streams", most: 1 << 20,
	},
}

const attacked = `what attackers cost
-- http.conf --
http2 on;
server {
    listen 127.0.0.1:8080;
    location / { return 200 "ok\n"; }
    location /slow { proxy_pass http://127.0.0.1:8081; client_body_timeout 30s; }
    location /large { root html; }
}
server {
    listen 127.0.0.1:8081;
    location / { limit_rate 1; return 200 "a response that takes long\n"; }
}
-- html/large --
%%0123456789abcdef*65536%%
`

// TestAttacks: the connection of each attacker is closed, with nginx's words in
// the log, before it has cost much; meanwhile others are served.
func TestAttacks(t *testing.T) {
	t.Parallel()
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, attacked)
			for range 20 {
				fair(t, s)
			}
			before := measure(t, s)
			sent := a.run(t, s)
			fair(t, s)
			cost := measure(t, s).minus(before)
			t.Logf("%d bytes sent; the worker: %v", sent, cost)
			const mostCPU, mostMemory = time.Second, 24 << 20
			if cost.cpu > mostCPU || cost.memory > mostMemory {
				t.Errorf("the attack costs %v", cost)
			}
		})
	}
}

// run attacks until the server has had enough, and returns how many bytes that
// took. It reads what is sent after that for a while (lingering_close).
func (a *attack) run(t *testing.T, s *spec.Server) (sent int) {
	t.Helper()
	c := dial(t, s.Addr(8080), nil)
	end := make(chan error, 1)
	var code http2.Code
	if a.deaf {
		end <- nil
	} else {
		go func() {
			var err error
			code, err = c.rest()
			end <- err
		}()
	}
	if a.begin != nil {
		_ = c.send(a.begin(c))
	}
	var batch []byte
	for n := 0; !strings.Contains(s.Log(), a.log); {
		for batch = batch[:0]; len(batch) < 8<<10; n++ {
			batch = append(batch, a.again(c, n)...)
		}
		if err := c.send(batch); err != nil {
			s.Await(t, a.log)
			break
		}
		if sent += len(batch); sent > a.most {
			t.Fatalf("the server takes %d bytes", sent)
		}
	}
	if err := <-end; err != nil {
		t.Errorf("the connection is not closed: %v", err)
	}
	// What the server says last may be lost, when it closes with bytes unread.
	if code != a.code && code != http2.NoError {
		t.Errorf("GOAWAY says %d, want %d", code, a.code)
	}
	return sent
}

// fair checks that another client is served.
func fair(t *testing.T, s *spec.Server) {
	t.Helper()
	c := dial(t, s.Addr(8080), nil)
	_ = c.send(c.get(1, "/"))
	for {
		f, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Kind == http2.FrameData && f.ID == 1 {
			return
		}
	}
}

// usage is what a worker has used.
type usage struct {
	cpu    time.Duration
	memory int64 // resident, in bytes
}

func (u usage) minus(v usage) usage { return usage{u.cpu - v.cpu, u.memory - v.memory} }
func (u usage) String() string {
	return fmt.Sprintf("%v of processor time, %d KB of memory", u.cpu, u.memory>>10)
}

// measure asks the kernel about the worker.
func measure(t *testing.T, s *spec.Server) (u usage) {
	t.Helper()
	pids := s.Workers()
	if len(pids) != 1 {
		t.Fatalf("%d workers", len(pids))
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pids[0]))
	if err != nil {
		t.Fatal(err)
	}
	const user, system, resident, tick = 11, 12, 21, 10 * time.Millisecond
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+2:]))
	number := func(i int) int64 {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	u.cpu = time.Duration(number(user)+number(system)) * tick
	u.memory = number(resident) * int64(os.Getpagesize())
	return u
}
