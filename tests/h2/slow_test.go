package h2

import (
	"encoding/binary"
	"testing"

	"moongate/http/wire/http2"
)

const slow = `clients that take nothing
-- http.conf --
http2 on;
server {
    listen 127.0.0.1:8080;
    send_timeout 1s;
    location / { return 200 "ok\n"; }
    location /large { root html; }
}
-- html/large --
%%0123456789abcdef*65536%%
`

// TestSlowReaders: clients that ask for much and read nothing cost a bounded
// amount of memory each, for as long as send_timeout.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	s := start(t, slow)
	fair(t, s)
	before := measure(t, s)
	const clients, streams = 20, 100
	for range clients {
		c := dial(t, s.Addr(8080), nil, http2.SettingInitialWindow, 1<<30)
		_ = c.send(http2.AppendNumber(nil, http2.FrameWindow, 0, 1<<30))
		for n := range streams {
			_ = c.send(c.get(stream(n), "/large"))
		}
	}
	s.Await(t, `client timed out`)
	cost := measure(t, s).minus(before)
	t.Logf("%d clients with %d streams of 1 MB each: %v", clients, streams, cost)
	if each := cost.memory / clients; each > 2<<20 {
		t.Errorf("%d KB for each client", each>>10)
	}
	fair(t, s)
}

// TestNoWindow: a client that opens no window to send its response in loses the
// stream after send_timeout.
func TestNoWindow(t *testing.T) {
	t.Parallel()
	s := start(t, slow)
	c := dial(t, s.Addr(8080), nil, http2.SettingInitialWindow, 0)
	_ = c.send(c.get(1, "/large"))
	for {
		f, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Kind == http2.FrameRST {
			if why := http2.Code(binary.BigEndian.Uint32(f.Payload)); why != http2.ProtocolError {
				t.Errorf("reset with %d", why)
			}
			break
		}
		if f.Kind == http2.FrameData {
			t.Errorf("%d bytes of data without a window", len(f.Payload))
		}
	}
	s.Await(t, `client timed out`)
	fair(t, s)
}

// TestSlowHeader: a header that does not become complete is given up after
// client_header_timeout and logged, like one whose client goes away.
func TestSlowHeader(t *testing.T) {
	t.Parallel()
	s := start(t, `headers that do not end
-- http.conf --
http2 on;
log_format header '$status "$request" $server_protocol';
server {
    listen 127.0.0.1:8080;
    client_header_timeout 300ms;
    access_log logs/header.log header;
    location / { return 200 "ok\n"; }
}
`)
	c := dial(t, s.Addr(8080), nil)
	_ = c.send(c.get(1, "/")[:15])
	for {
		f, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Kind == http2.FrameRST && f.ID == 1 {
			break
		}
	}
	s.Await(t, `client timed out .* while reading client request headers`)
	s.AwaitFile(t, "logs/header.log", `^408 "-" HTTP/2\.0\n$`)
	gone := dial(t, s.Addr(8080), nil)
	_ = gone.send(gone.get(1, "/")[:15])
	gone.Close()
	s.AwaitFile(t, "logs/header.log", `\n000 "-" HTTP/2\.0\n`)
	fair(t, s)
}
