// Package userid gives clients a cookie by which they are known again: nginx's
// ngx_http_userid_filter_module, compatible with mod_uid.
package userid

import (
	"errors"
	"time"

	"moongate/conf"
	"moongate/http"
)

// Values of userid.
const (
	off = iota
	logOnly
	v1
	on
)

// Bits of userid_flags.
const (
	flagOff = 1 << iota
	flagSecure
	flagHTTPOnly
	flagSameSite
	flagStrict
	flagLax
	flagNone
)

var (
	stateWords = []conf.Word{{Name: "off", Value: off}, {Name: "log", Value: logOnly}, {Name: "v1", Value: v1}, {Name: "on", Value: on}}
	flagWords  = []conf.Word{
		{Name: "off", Value: flagOff}, {Name: "secure", Value: flagSecure}, {Name: "httponly", Value: flagHTTPOnly},
		{Name: "samesite=strict", Value: flagSameSite | flagStrict},
		{Name: "samesite=lax", Value: flagSameSite | flagLax},
		{Name: "samesite=none", Value: flagSameSite | flagNone},
	}
)

// mainConf is what there is once per worker.
type mainConf struct {
	reset *http.Variable // $uid_reset
	// start tells the workers apart; the sequencers count the identifiers.
	start                    uint32
	sequencerV1, sequencerV2 uint32
}

// locConf is what a location says. Domain and path are the attributes of the
// cookie in full.
type locConf struct {
	state              conf.Opt[int]
	flags              conf.Opt[int]
	service            conf.Opt[int64]
	name, domain, path conf.Opt[string]
	p3p                conf.Opt[string]
	expires            conf.Opt[expires]
	mark               conf.Opt[byte]
}

// expires is userid_expires; the zero value is off.
type expires struct {
	max  bool
	time time.Duration
}

var (
	mainSlot = &conf.Slot[mainConf]{Level: conf.LevelMain}
	slot     = &conf.Slot[locConf]{Level: conf.LevelLocation}
	key      = &http.Ctx[ctx]{}
)

// Module is the userid filter.
var Module = &http.Module{
	Module: conf.Module{
		Name:       "http_userid_filter",
		Slots:      []conf.AnySlot{mainSlot, slot},
		Directives: directives(),
	},
	Ctx: []http.AnyCtx{key},
	Variables: []http.Variable{
		{Name: "uid_got", Get: getGot},
		{Name: "uid_set", Get: getSet},
		{Name: "uid_reset", Get: func(*http.Request, any) http.Value { return http.Val("") }, Changeable: true},
	},
	Preconfiguration: func(cf *conf.Conf, m *http.MainConf) (err error) {
		mainSlot.Of(cf.Scope).reset, err = m.Variable(cf, "uid_reset")
		return err
	},
	InitWorker: initWorker,
	Header:     headerFilter,
	Where:      slot.Where(func(c *locConf) bool { return c.state.V >= v1 }),
}

func directives() []conf.Directive {
	const in = conf.HTTPAny
	flags := slot.Bitmask("userid_flags", in, func(c *locConf) *conf.Opt[int] { return &c.flags }, flagOff, flagWords)
	flags.Args = conf.Take123
	return []conf.Directive{
		slot.Enum("userid", in, func(c *locConf) *conf.Opt[int] { return &c.state }, off, stateWords),
		slot.Num("userid_service", in, func(c *locConf) *conf.Opt[int64] { return &c.service }, 0),
		slot.Str("userid_name", in, func(c *locConf) *conf.Opt[string] { return &c.name }, "uid"),
		slot.Str("userid_domain", in, func(c *locConf) *conf.Opt[string] { return &c.domain }, "",
			func(_ *conf.Conf, v *string) error {
				if *v == "none" {
					*v = ""
				} else {
					*v = "; domain=" + *v
				}
				return nil
			}),
		slot.Str("userid_path", in, func(c *locConf) *conf.Opt[string] { return &c.path }, "; path=/",
			func(_ *conf.Conf, v *string) error {
				*v = "; path=" + *v
				return nil
			}),
		conf.Value(slot, "userid_expires", in, conf.Take1, func(c *locConf) *conf.Opt[expires] { return &c.expires }, expires{}, parseExpires),
		flags,
		slot.Str("userid_p3p", in, func(c *locConf) *conf.Opt[string] { return &c.p3p }, "",
			func(_ *conf.Conf, v *string) error {
				if *v == "none" {
					*v = ""
				}
				return nil
			}),
		conf.Value(slot, "userid_mark", in, conf.Take1, func(c *locConf) *conf.Opt[byte] { return &c.mark }, 0, parseMark),
	}
}

func parseExpires(cf *conf.Conf) (expires, error) {
	switch cf.Args[0] {
	case "max":
		return expires{max: true}, nil
	case "off":
		return expires{}, nil
	}
	t, ok := conf.ParseSec(cf.Args[0])
	if !ok {
		return expires{}, conf.ErrInvalidValue
	}
	return expires{time: t}, nil
}

var errMark = errors.New(`value must be "off" or a single letter, digit or "="`)

func parseMark(cf *conf.Conf) (byte, error) {
	arg := cf.Args[0]
	if arg == "off" {
		return 0, nil
	}
	if len(arg) != 1 {
		return 0, errMark
	}
	c := arg[0]
	if (c|0x20)-'a' > 'z'-'a' && c-'0' > 9 && c != '=' {
		return 0, errMark
	}
	return c, nil
}
