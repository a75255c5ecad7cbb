// Package limit is what the modules that limit requests by a key have in
// common (limit_req, limit_conn): zones with a key, what happens to a request
// that is rejected, and for how long a key may be.
package limit

import (
	"moongate/conf"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/http"
)

// Settings say what happens to requests above a limit.
type Settings struct {
	LogLevel conf.Opt[int]
	Status   conf.Opt[int64]
	DryRun   conf.Opt[bool]
}

var logLevels = []conf.Word{
	{Name: "info", Value: int(log.Info)}, {Name: "notice", Value: int(log.Notice)},
	{Name: "warn", Value: int(log.Warn)}, {Name: "error", Value: int(log.Error)},
}

// Rows are "name_log_level level", "name_status code" and "name_dry_run on | off".
func Rows[C any](s *conf.Slot[C], name string, of func(*C) *Settings) []conf.Directive {
	return []conf.Directive{
		s.Enum(name+"_log_level", conf.HTTPAny, func(c *C) *conf.Opt[int] { return &of(c).LogLevel }, int(log.Error), logLevels),
		s.Num(name+"_status", conf.HTTPAny, func(c *C) *conf.Opt[int64] { return &of(c).Status }, 503, conf.Between(400, 599)),
		s.Flag(name+"_dry_run", conf.HTTPAny, func(c *C) *conf.Opt[bool] { return &of(c).DryRun }, false),
	}
}

// Key is what requests are told apart by.
type Key struct {
	*http.Complex
	// Max is the length in bytes of the longest value that counts.
	Max int
}

// Of returns the value for a request, empty where the request does not count.
func (k *Key) Of(r *http.Request) string {
	v := k.Eval(r)
	if len(v) > k.Max {
		r.Error(`the value of the "%s" key is more than %d bytes: "%s"`, k.Text, k.Max, v)
		return ""
	}
	return v
}

// Bound is the data of a zone, which has a key.
type Bound interface{ Key() *Key }

// AddZone makes the zone that a directive describes and binds data to it. tag
// marks the zones of the module.
func AddZone(cf *conf.Conf, name string, size int64, tag string, data Bound) (*process.Zone, error) {
	if name == "" {
		return nil, cf.Errorf(`"%s" must have "zone" parameter`, cf.Name)
	}
	z, err := process.Of(cf.Cycle).AddZone(cf, name, size, tag)
	if err != nil {
		return nil, err
	}
	if b, ok := z.Data.(Bound); ok {
		return nil, cf.Errorf(`%s "%s" is already bound to key "%s"`, cf.Name, name, b.Key().Text)
	}
	z.Data = data
	return z, nil
}

// SameKey checks that a zone which outlives a reload keeps its key; what names
// the directive in the complaint.
func SameKey(what, zone string, now *Key, old any) error {
	if o, ok := old.(Bound); ok && o.Key().Text != now.Text {
		return &conf.Error{Msg: what + ` "` + zone + `" uses the "` + now.Text +
			`" key while previously it used the "` + o.Key().Text + `" key`}
	}
	return nil
}
