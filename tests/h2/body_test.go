package h2

import (
	"testing"

	"moongate/http/wire/http2"
	"moongate/tests/spec"
)

const bodies = `request bodies
-- http.conf --
http2 on;
server {
    listen 127.0.0.1:8080;
    http2_body_preread_size 100;
    location / { proxy_pass http://127.0.0.1:8081; }
    location /streamed { proxy_pass http://127.0.0.1:8081; proxy_request_buffering off; }
    location /own { return 200 "own\n"; }
}
server {
    listen 127.0.0.1:8081;
    location / { add_header X-Length $http_content_length; return 200 "ok\n"; }
}
`

// post is the header of a request with a body of a length.
func (c *client) post(stream uint32, path, length string) []byte {
	return frame(http2.FrameHeaders, http2.FlagEndHeaders, stream, c.header(path, "content-length", length)...)
}

// settled is a client that knows the server's settings and has said so.
func settled(t *testing.T, s *spec.Server) *client {
	t.Helper()
	c := dial(t, s.Addr(8080), nil)
	_ = c.send(frame(http2.FrameSettings, http2.FlagAck, 0))
	return c
}

// await reads frames up to the first of a kind for a stream.
func (c *client) await(t *testing.T, kind http2.FrameType, stream uint32) http2.Frame {
	t.Helper()
	for {
		f, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if f.ID == stream {
			if f.Kind == kind {
				return f
			}
			if f.Kind == http2.FrameRST {
				t.Fatalf("reset with % x", f.Payload)
			}
		}
	}
}

// TestEmptyBody: a request that declares no content has not ended before
// END_STREAM.
func TestEmptyBody(t *testing.T) {
	t.Parallel()
	s := start(t, bodies)
	for _, path := range []string{"/", "/streamed"} {
		c := settled(t, s)
		_ = c.send(c.post(1, path, "0"), frame(http2.FrameData, 0, 1), c.get(3, "/own"))
		_ = c.await(t, http2.FrameHeaders, 3)
		_ = c.send(frame(http2.FrameData, http2.FlagEndStream, 1))
		f := c.await(t, http2.FrameData, 1)
		if string(f.Payload) != "ok\n" {
			t.Errorf("%s: %q", path, f.Payload)
		}
	}
}

// TestEagerClient: a body that is too large for the window that the settings
// announce comes right behind its header; who reads it has widened the window
// by then.
func TestEagerClient(t *testing.T) {
	t.Parallel()
	s := start(t, bodies)
	c := settled(t, s)
	_ = c.send(append(c.post(1, "/", "1000"), frame(http2.FrameData, http2.FlagEndStream, 1, make([]byte, 1000)...)...))
	f := c.await(t, http2.FrameData, 1)
	if string(f.Payload) != "ok\n" {
		t.Errorf("%q", f.Payload)
	}
}
