// Package limitconn limits how many requests are in progress at once, by a key:
// nginx's ngx_http_limit_conn_module.
package limitconn

import (
	"slices"
	"strings"

	"moongate/conf"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/http"
	"moongate/http/limit"
)

// locConf is what a location limits.
type locConf struct {
	limits []limitation
	limit.Settings
}

// limitation is a "limit_conn" directive.
type limitation struct {
	zone *process.Zone
	max  uint32
}

func (l *limitation) counters() *counters { return l.zone.Data.(*counters) }

// status is what became of a request.
type status uint8

const (
	passed status = iota + 1
	rejected
	rejectedDryRun
)

var statusNames = [...]string{passed: "PASSED", rejected: "REJECTED", rejectedDryRun: "REJECTED_DRY_RUN"}

// state is what a main request keeps: the verdict on it, after which it is not
// asked again, and where it counts until it ends.
type state struct {
	status status
	held   []place
	few    [2]place
}

var (
	slot = &conf.Slot[locConf]{
		Level: conf.LevelLocation,
		Merge: func(_ *conf.Conf, outer, c *locConf) error {
			if c.limits == nil {
				c.limits = outer.limits
			}
			return nil
		},
	}
	ctx = http.Ctx[state]{Lasting: true}
)

// tag marks the zones of this module.
const tag = "http_limit_conn"

// Module is the limit_conn module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_limit_conn",
		Slots: []conf.AnySlot{slot},
		Directives: append([]conf.Directive{
			conf.Command("limit_conn_zone", conf.HTTPMain, conf.Take2, zoneDirective),
			slot.Custom("limit_conn", conf.HTTPAny, conf.Take2, limitDirective),
		}, limit.Rows(slot, "limit_conn", func(c *locConf) *limit.Settings { return &c.Settings })...),
	},
	Ctx:       []http.AnyCtx{&ctx},
	Variables: []http.Variable{{Name: "limit_conn_status", Get: getStatus, Volatile: true}},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		m.Handle(http.PhasePreAccess, slot.Where(func(c *locConf) bool { return c.limits != nil }), handler)
		return nil
	},
}

// zoneDirective is "limit_conn_zone key zone=name:size".
func zoneDirective(cf *conf.Conf) error {
	key, err := http.CompileArg(cf, cf.Args[0])
	if err != nil {
		return err
	}
	arg := cf.Args[1]
	if !strings.HasPrefix(arg, "zone=") {
		return cf.Errorf(`invalid parameter "%s"`, arg)
	}
	name, size, err := process.ParseZone(cf, arg)
	if err != nil {
		return err
	}
	c := &counters{key: limit.Key{Complex: key, Max: maxKey}}
	z, err := limit.AddZone(cf, name, size, tag, c)
	if err == nil {
		z.Init = c.init
	}
	return err
}

// maxConnections is the greatest number that a directive may give.
const maxConnections = 65535

// limitDirective is "limit_conn zone number".
func limitDirective(cf *conf.Conf, c *locConf) error {
	z, err := process.Of(cf.Cycle).AddZone(cf, cf.Args[0], 0, tag)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(c.limits, func(o limitation) bool { return o.zone == z }) {
		return conf.ErrDuplicate
	}
	n, ok := conf.ParseInt(cf.Args[1])
	switch {
	case !ok || n == 0:
		return cf.Errorf(`invalid number of connections "%s"`, cf.Args[1])
	case n > maxConnections:
		return cf.Errorf("connection limit must be less %d", maxConnections+1)
	}
	c.limits = append(c.limits, limitation{z, uint32(n)})
	return nil
}

// maxKey is the length of the longest key.
const maxKey = 255

func handler(r *http.Request) http.Verdict {
	c := slot.Of(r.Scope)
	if ctx.Of(r.Main) != nil {
		return http.Declined
	}
	var s *state
	for i := range c.limits {
		l := &c.limits[i]
		key := l.counters().key.Of(r)
		if key == "" {
			continue
		}
		if s == nil {
			s = enter(r)
		}
		p, result := l.counters().enter(key, l.max)
		if result == entered {
			s.held = append(s.held, p)
			continue
		}
		if result == full {
			text := ""
			if c.DryRun.V {
				text = ", dry run,"
			}
			r.Logf(log.Level(c.LogLevel.V), nil, `limiting connections%s by zone "%s"`, text, l.zone.Name)
		}
		s.leave()
		if c.DryRun.V {
			s.status = rejectedDryRun
			return http.Declined
		}
		s.status = rejected
		return http.Verdict(c.Status.V)
	}
	return http.Declined
}

// enter gives the main request a state, which its end clears.
func enter(r *http.Request) *state {
	s := &state{status: passed}
	s.held = s.few[:0]
	ctx.Set(r.Main, s)
	r.Main.Cleanup(s.leave)
	return s
}

// leave ends that the request counts.
func (s *state) leave() {
	for i := range s.held {
		s.held[i].leave()
	}
	s.held = s.held[:0]
}

// getStatus is the getter of $limit_conn_status.
func getStatus(r *http.Request, _ any) http.Value {
	if s := ctx.Of(r.Main); s != nil {
		return http.Val(statusNames[s.status])
	}
	return http.Value{}
}
