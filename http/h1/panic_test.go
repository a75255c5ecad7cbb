package h1

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/http"
	"moongate/http/httptest"
)

// TestPanicGivesBack: a request whose handler panics leaves nothing behind that
// others see, neither in stub_status's counters nor by what it had to clean up.
func TestPanicGivesBack(t *testing.T) {
	cleaned := 0
	broken := &http.Module{Module: conf.Module{Name: "broken", Directives: []conf.Directive{
		conf.Command("broken", conf.HTTPLocation, conf.NoArgs, func(cf *conf.Conf) error {
			http.LocOf(cf).Handler = func(r *http.Request) http.Verdict {
				r.Cleanup(func() { cleaned++ })
				if !r.IsMain() {
					r.Loop().Current().Park()
					return http.OK
				}
				sr := r.Subrequest("/", "", http.SubrequestOptions{Background: true})
				r.Loop().Yield() // until it waits
				if sr == nil || sr.Finished() {
					t.Error("the subrequest does not run")
				}
				panic("told to")
			}
			return nil
		}),
	}}}
	m, err := httptest.Load("server { location / { broken; } }", broken)
	if err != nil {
		t.Fatal(err)
	}
	loop, err := event.New(event.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := &http.Worker{
		Worker: &process.Worker{Cycle: &process.Cycle{Conf: &conf.Cycle{}}, Loop: loop},
		Main:   m,
		Clock:  new(log.Clock),
	}
	w.Clock.Update(time.Now())
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	ec, err := loop.Adopt(pair[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(pair[1], []byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	addr := m.Ports()[0].Addrs[0]
	c := &http.Conn{Conn: ec, IO: ec, Worker: w, Addr: addr, Server: addr.Default}
	c.Peer = http.NewPeer(netip.MustParseAddrPort("127.0.0.1:12345"))
	served := loop.Go(func() { Serve(c) }).Ref()
	loop.Go(func() {
		for turns := 0; loop.Fibers() > 1 && turns < 100; turns++ {
			loop.Yield()
		}
		loop.Stop()
	})
	if err := loop.Run(); err != nil {
		t.Fatal(err)
	}
	if served.Fiber() != nil {
		t.Error("the request still runs")
	}
	if s := loop.Stats(); s.Reading.Load() != 0 || s.Writing.Load() != 0 {
		t.Errorf("%d requests are being read and %d written", s.Reading.Load(), s.Writing.Load())
	}
	if cleaned != 2 {
		t.Errorf("%d of 2 cleanups ran", cleaned)
	}
}
