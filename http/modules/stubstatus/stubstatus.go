// Package stubstatus shows the counters of connections and requests: nginx's
// ngx_http_stub_status_module.
package stubstatus

import (
	"strconv"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/event"
	"moongate/http"
	"moongate/http/wire"
)

// Module is the stub_status module.
var Module = &http.Module{
	Module: conf.Module{
		Name: "http_stub_status",
		Directives: []conf.Directive{
			conf.Command("stub_status", conf.HTTPServer|conf.HTTPLocation, conf.NoArgs|conf.Take1, func(cf *conf.Conf) error {
				http.LocOf(cf).Handler = handler
				return nil
			}),
		},
		Arguments: []string{"--with-http_stub_status_module"},
	},
	Variables: []http.Variable{
		variable("connections_active", func(s *event.Stats) int64 { return s.Active.Load() }),
		variable("connections_reading", func(s *event.Stats) int64 { return s.Reading.Load() }),
		variable("connections_writing", func(s *event.Stats) int64 { return s.Writing.Load() }),
		variable("connections_waiting", func(s *event.Stats) int64 { return s.Waiting.Load() }),
	},
}

func variable(name string, count func(*event.Stats) int64) http.Variable {
	return http.Variable{Name: name, Volatile: true, Get: func(r *http.Request, _ any) http.Value {
		return http.Val(r.Pool.Int(count(r.Loop().Stats())))
	}}
}

// pageSize is enough for the page with counters of 20 digits.
const pageSize = 256

func handler(r *http.Request) http.Verdict {
	if r.Method&(wire.GET|wire.HEAD) == 0 {
		return http.StatusNotAllowed
	}
	s := r.Loop().Stats()
	b := append(r.Pool.Alloc(pageSize)[:0], "Active connections: "...)
	b = strconv.AppendInt(b, s.Active.Load(), 10)
	b = append(b, " \nserver accepts handled requests\n"...)
	for _, n := range [...]int64{s.Accepted.Load(), s.Handled.Load(), s.Requests.Load()} {
		b = strconv.AppendInt(append(b, ' '), n, 10)
	}
	b = append(b, " \nReading: "...)
	b = strconv.AppendInt(b, s.Reading.Load(), 10)
	b = strconv.AppendInt(append(b, " Writing: "...), s.Writing.Load(), 10)
	b = strconv.AppendInt(append(b, " Waiting: "...), s.Waiting.Load(), 10)
	b = append(b, " \n"...)
	return r.Respond(http.StatusOK, "text/plain", buf.String(b))
}
