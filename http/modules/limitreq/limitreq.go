// Package limitreq limits how many requests come in a time, by a key: nginx's
// ngx_http_limit_req_module.
package limitreq

import (
	"math"
	"slices"
	"strings"
	"time"

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

// limitation is a "limit_req" directive. Numbers of requests are in thousandths.
type limitation struct {
	zone         *process.Zone
	burst, delay int64
}

// status is what became of a request.
type status uint8

const (
	passed status = iota + 1
	delayed
	rejected
	delayedDryRun
	rejectedDryRun
)

var statusNames = [...]string{
	passed: "PASSED", delayed: "DELAYED", rejected: "REJECTED",
	delayedDryRun: "DELAYED_DRY_RUN", rejectedDryRun: "REJECTED_DRY_RUN",
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
	// ctx has the verdict on a main request, which is not asked twice.
	ctx = http.Ctx[status]{Lasting: true}
)

// statuses are what ctx points to.
var statuses = [...]status{passed: passed, delayed: delayed, rejected: rejected,
	delayedDryRun: delayedDryRun, rejectedDryRun: rejectedDryRun}

// tag marks the zones of this module.
const tag = "http_limit_req"

// Module is the limit_req module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_limit_req",
		Slots: []conf.AnySlot{slot},
		Directives: append([]conf.Directive{
			conf.Command("limit_req_zone", conf.HTTPMain, conf.Take3, zoneDirective),
			slot.Custom("limit_req", conf.HTTPAny, conf.Take123, limitDirective),
		}, limit.Rows(slot, "limit_req", func(c *locConf) *limit.Settings { return &c.Settings })...),
	},
	Ctx:       []http.AnyCtx{&ctx},
	Variables: []http.Variable{{Name: "limit_req_status", Get: getStatus, Volatile: true}},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		m.Handle(http.PhasePreAccess, slot.Where(func(c *locConf) bool { return c.limits != nil }), handler)
		return nil
	},
}

// zoneDirective is "limit_req_zone key zone=name:size rate=number[r/s | r/m]".
func zoneDirective(cf *conf.Conf) error {
	key, err := http.CompileArg(cf, cf.Args[0])
	if err != nil {
		return err
	}
	name, size, rate := "", int64(0), int64(1000)
	for _, arg := range cf.Args[1:] {
		switch {
		case strings.HasPrefix(arg, "zone="):
			name, size, err = process.ParseZone(cf, arg)
		case strings.HasPrefix(arg, "rate="):
			rate, err = parseRate(cf, arg)
		default:
			err = cf.Errorf(`invalid parameter "%s"`, arg)
		}
		if err != nil {
			return err
		}
	}
	b := &bucket{key: limit.Key{Complex: key, Max: maxKey}, rate: rate, log: process.Of(cf.Cycle).Log}
	z, err := limit.AddZone(cf, name, size, tag, b)
	if err == nil {
		z.Init = b.init
	}
	return err
}

// parseRate reads "rate=number[r/s | r/m]" as thousandths of a request in a
// second.
func parseRate(cf *conf.Conf, arg string) (int64, error) {
	number, seconds := strings.TrimPrefix(arg, "rate="), int64(1)
	if s, ok := strings.CutSuffix(number, "r/s"); ok {
		number = s
	} else if s, ok := strings.CutSuffix(number, "r/m"); ok {
		number, seconds = s, 60
	}
	n, ok := conf.ParseInt(number)
	if !ok || n == 0 || n > math.MaxInt64/1000 {
		return 0, cf.Errorf(`invalid rate "%s"`, arg)
	}
	return n * 1000 / seconds, nil
}

// limitDirective is "limit_req zone=name [burst=number] [nodelay |
// delay=number]".
func limitDirective(cf *conf.Conf, c *locConf) (err error) {
	l := limitation{}
	number := func(what, arg, value string) int64 {
		n, ok := conf.ParseInt(value)
		if !ok || n == 0 || n > math.MaxInt64/1000 {
			err = cf.Errorf(`invalid %s value "%s"`, what, arg)
		}
		return n * 1000
	}
	for _, arg := range cf.Args {
		name, value, _ := strings.Cut(arg, "=")
		switch {
		case strings.HasPrefix(arg, "zone="):
			l.zone, err = process.Of(cf.Cycle).AddZone(cf, value, 0, tag)
		case strings.HasPrefix(arg, "burst="):
			l.burst = number(name, arg, value)
		case strings.HasPrefix(arg, "delay="):
			l.delay = number(name, arg, value)
		case arg == "nodelay":
			l.delay = math.MaxInt64
		default:
			err = cf.Errorf(`invalid parameter "%s"`, arg)
		}
		if err != nil {
			return err
		}
	}
	if l.zone == nil {
		return cf.Errorf(`"%s" must have "zone" parameter`, cf.Name)
	}
	if slices.ContainsFunc(c.limits, func(o limitation) bool { return o.zone == l.zone }) {
		return conf.ErrDuplicate
	}
	c.limits = append(c.limits, l)
	return nil
}

// maxKey is the length of the longest key.
const maxKey = 65535

func handler(r *http.Request) http.Verdict {
	c := slot.Of(r.Scope)
	if ctx.Of(r.Main) != nil {
		return http.Declined
	}
	var few [4]claim
	a := account{now: r.Loop().NowMsec(), claims: few[:0]}
	for i := range c.limits {
		l := &c.limits[i]
		key := l.bucket().key.Of(r)
		if key == "" {
			continue
		}
		switch a.add(l, key, i == len(c.limits)-1) {
		case full:
			r.Logf(log.Level(c.LogLevel.V), nil, `limiting requests%s, excess: %d.%03d by zone "%s"`,
				dryRunText(c), a.excess/1000, a.excess%1000, l.zone.Name)
			fallthrough
		case failed:
			a.release()
			if c.DryRun.V {
				ctx.Set(r.Main, &statuses[rejectedDryRun])
				return http.Declined
			}
			ctx.Set(r.Main, &statuses[rejected])
			return http.Verdict(c.Status.V)
		}
	}
	if !a.any {
		return http.Declined
	}
	return c.wait(r, &a)
}

// wait lets the request wait as long as it has to.
func (c *locConf) wait(r *http.Request, a *account) http.Verdict {
	delay, excess, zone := a.settle()
	if delay == 0 {
		ctx.Set(r.Main, &statuses[passed])
		return http.Declined
	}
	level := log.Info
	if c.LogLevel.V != int(log.Info) {
		level = log.Level(c.LogLevel.V + 1)
	}
	r.Logf(level, nil, `delaying request%s, excess: %d.%03d, by zone "%s"`, dryRunText(c), excess/1000, excess%1000, zone)
	if c.DryRun.V {
		ctx.Set(r.Main, &statuses[delayedDryRun])
		return http.Declined
	}
	ctx.Set(r.Main, &statuses[delayed])
	if v := r.Delay(time.Duration(delay) * time.Millisecond); v != http.OK {
		return v
	}
	return http.Declined
}

func dryRunText(c *locConf) string {
	if c.DryRun.V {
		return ", dry run"
	}
	return ""
}

// getStatus is the getter of $limit_req_status.
func getStatus(r *http.Request, _ any) http.Value {
	if s := ctx.Of(r.Main); s != nil {
		return http.Val(statusNames[*s])
	}
	return http.Value{}
}
