package http

import (
	"testing"

	"moongate/conf"
	"moongate/core/event"
	"moongate/core/process"
)

// testRequest makes a request to the first server that goes nowhere.
func testRequest(t testing.TB, m *MainConf) *Request {
	t.Helper()
	loop, err := event.New(event.Config{})
	if err != nil {
		t.Fatal(err)
	}
	cycle := &process.Cycle{Conf: &conf.Cycle{Prefix: "/prefix/"}}
	w := &Worker{Worker: &process.Worker{Cycle: cycle, Loop: loop}, Main: m}
	c := &Conn{Conn: &event.Conn{}, Worker: w, Addr: m.Ports()[0].Addrs[0], Server: m.Ports()[0].Addrs[0].Default}
	r := c.NewRequest(nil)
	r.Method, r.URI, r.Version = 2, "/", Version11
	r.In.ContentLength = -1
	r.EnterDefaultServer()
	t.Cleanup(r.Free)
	return r
}
