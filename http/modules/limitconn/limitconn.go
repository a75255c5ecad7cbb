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
)

// locConf is what a location limits.
type locConf struct {
	limits   []limit
	logLevel conf.Opt[int]
	status   conf.Opt[int64]
	dryRun   conf.Opt[bool]
}

// limit is a "limit_conn" directive.
type limit struct {
	zone *process.Zone
	max  uint32
}

func (l *limit) counters() *counters { return l.zone.Data.(*counters) }

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

var logLevels = []conf.Word{
	{Name: "info", Value: int(log.Info)}, {Name: "notice", Value: int(log.Notice)},
	{Name: "warn", Value: int(log.Warn)}, {Name: "error", Value: int(log.Error)},
}

// tag marks the zones of this module.
const tag = "http_limit_conn"

// Module is the limit_conn module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_limit_conn",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			conf.Command("limit_conn_zone", conf.HTTPMain, conf.Take2, zoneDirective),
			slot.Custom("limit_conn", conf.HTTPAny, conf.Take2, limitDirective),
			slot.Enum("limit_conn_log_level", conf.HTTPAny,
				func(c *locConf) *conf.Opt[int] { return &c.logLevel }, int(log.Error), logLevels),
			slot.Num("limit_conn_status", conf.HTTPAny,
				func(c *locConf) *conf.Opt[int64] { return &c.status }, 503, conf.Between(400, 599)),
			slot.Flag("limit_conn_dry_run", conf.HTTPAny, func(c *locConf) *conf.Opt[bool] { return &c.dryRun }, false),
		},
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
	switch {
	case err != nil:
		return err
	case name == "":
		return cf.Errorf(`"%s" must have "zone" parameter`, cf.Name)
	}
	z, err := process.Of(cf.Cycle).AddZone(cf, name, size, tag)
	if err != nil {
		return err
	}
	if c, ok := z.Data.(*counters); ok {
		return cf.Errorf(`%s "%s" is already bound to key "%s"`, cf.Name, name, c.key.Text)
	}
	c := &counters{key: key}
	z.Data, z.Init = c, c.init
	return nil
}

// maxConnections is the greatest number that a directive may give.
const maxConnections = 65535

// limitDirective is "limit_conn zone number".
func limitDirective(cf *conf.Conf, c *locConf) error {
	z, err := process.Of(cf.Cycle).AddZone(cf, cf.Args[0], 0, tag)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(c.limits, func(o limit) bool { return o.zone == z }) {
		return conf.ErrDuplicate
	}
	n, ok := conf.ParseInt(cf.Args[1])
	switch {
	case !ok || n == 0:
		return cf.Errorf(`invalid number of connections "%s"`, cf.Args[1])
	case n > maxConnections:
		return cf.Errorf("connection limit must be less %d", maxConnections+1)
	}
	c.limits = append(c.limits, limit{z, uint32(n)})
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
		key := l.counters().key.Eval(r)
		if len(key) > maxKey {
			r.Error(`the value of the "%s" key is more than %d bytes: "%s"`, l.counters().key.Text, maxKey, key)
		}
		if key == "" || len(key) > maxKey {
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
			if c.dryRun.V {
				text = ", dry run,"
			}
			r.Logf(log.Level(c.logLevel.V), nil, `limiting connections%s by zone "%s"`, text, l.zone.Name)
		}
		s.leave()
		if c.dryRun.V {
			s.status = rejectedDryRun
			return http.Declined
		}
		s.status = rejected
		return http.Verdict(c.status.V)
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
