package h2

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"moongate/http/wire/http2"
)

// TestReload: no request is lost while the configuration is loaded anew again
// and again, neither one that has begun nor one that was sent to a worker that
// goes.
func TestReload(t *testing.T) {
	t.Parallel()
	s := start(t, `reloads under load

needs: certificate
-- http.conf --
http2 on;
server {
    listen 127.0.0.1:8081 ssl;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    location / { root html; limit_rate 2m; }
}
server { listen 127.0.0.1:8080; }
-- html/page --
%%0123456789abcdef*4096%%
`)
	const clients, reloads = 4, 5
	var stop atomic.Bool
	var done atomic.Int64
	var all sync.WaitGroup
	for range clients {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
		client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
		for range 4 {
			all.Go(func() {
				for !stop.Load() {
					if err := ask(client, "https://"+s.Addr(8081)+"/page"); err != nil {
						t.Error(err)
						return
					}
					done.Add(1)
				}
			})
		}
		defer transport.CloseIdleConnections()
	}
	for range reloads {
		for from := done.Load(); done.Load() < from+clients*4 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		if err := s.Reload(); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	all.Wait()
	t.Logf("%d requests over %d reloads", done.Load(), reloads)
}

func ask(client *http.Client, url string) error {
	r, err := client.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	n, err := io.Copy(io.Discard, r.Body)
	const size = 65537
	if err != nil || n != size || r.ProtoMajor != 2 || r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d bytes, %v", r.Proto, r.Status, n, err)
	}
	return nil
}

// TestLinger: what an idle connection has not read yet arrives, although its
// worker goes and it says something more itself.
func TestLinger(t *testing.T) {
	t.Parallel()
	s := start(t, `connections that linger
-- http.conf --
http2 on;
server {
    listen 127.0.0.1:8080 sndbuf=1m;
    location / { root html; }
}
-- html/page --
%%0123456789abcdef*25000%%
`)
	c := dial(t, s.Addr(8080), nil, http2.SettingInitialWindow, 1<<20)
	if err := c.Conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	_ = c.send(http2.AppendNumber(nil, http2.FrameWindow, 0, 1<<20), c.get(1, "/page"))
	s.AwaitFile(t, "logs/access.log", "GET /page")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	s.Await(t, "gracefully shutting down")
	_ = c.send(frame(http2.FramePing, 0, 0, make([]byte, 8)...))
	got := 0
	for {
		f, err := c.read()
		if err != nil {
			t.Fatalf("%v after %d bytes", err, got)
		}
		if f.Kind == http2.FrameData {
			got += len(f.Payload)
		}
		if f.Kind == http2.FrameGoaway {
			break
		}
	}
	if want := 16*25000 + 1; got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}
