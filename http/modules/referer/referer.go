// Package referer tells requests that come from a known site: nginx's
// ngx_http_referer_module.
package referer

import (
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/core/names"
	"moongate/core/regex"
	"moongate/http"
	"moongate/http/wire"
)

// locConf is what a location knows of referers.
type locConf struct {
	// given: the location has valid_referers of its own.
	given bool
	// sites has the hosts, with the path that a referer has to begin with.
	sites *names.Table[string]
	// regexes see a referer without its scheme, serverRegexes its host only.
	regexes, serverRegexes []*http.Regex

	serverNames         bool
	none, blocked       bool
	maxSize, bucketSize conf.Opt[int64]
}

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: merge}

const in = conf.HTTPServer | conf.HTTPLocation

// Module is the referer module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_referer",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			slot.Custom("valid_referers", in, conf.OneMore, validReferers),
			// The sizes of nginx's hash tables; a Go map needs none.
			slot.Num("referer_hash_max_size", in, func(c *locConf) *conf.Opt[int64] { return &c.maxSize }, 2048),
			slot.Num("referer_hash_bucket_size", in, func(c *locConf) *conf.Opt[int64] { return &c.bucketSize }, 64),
		},
	},
	Variables: []http.Variable{{Name: "invalid_referer", Get: invalid, Changeable: true}},
}

// validReferers is "valid_referers none | blocked | server_names | host[/path]
// | ~regex …".
func validReferers(cf *conf.Conf, c *locConf) error {
	if !c.given {
		c.given, c.sites = true, &names.Table[string]{}
	}
	for _, arg := range cf.Args {
		switch arg {
		case "":
			return cf.Errorf(`invalid referer "%s"`, arg)
		case "none":
			c.none = true
			continue
		case "blocked":
			c.blocked = true
			continue
		case "server_names":
			c.serverNames = true
			continue
		case "~":
			return cf.Errorf(`empty regex in "%s"`, arg)
		}
		if pattern, ok := strings.CutPrefix(arg, "~"); ok {
			re, err := http.MainOf(cf).CompileRegex(cf, pattern, regex.Caseless)
			if err != nil {
				return err
			}
			c.regexes = append(c.regexes, re)
			continue
		}
		host, path := arg, ""
		if i := strings.IndexByte(arg, '/'); i >= 0 {
			host, path = arg[:i], arg[i:]
		}
		if err := c.add(cf, host, path); err != nil {
			return err
		}
	}
	return nil
}

func (c *locConf) add(cf *conf.Conf, host, path string) error {
	lower := string(wire.AppendLower(nil, host))
	switch c.sites.Add(lower, path) {
	case names.ErrInvalid:
		return cf.Errorf(`invalid hostname or wildcard "%s"`, host)
	case names.ErrConflict:
		return cf.Errorf(`conflicting parameter "%s"`, lower)
	}
	return nil
}

// merge inherits hosts as a whole, and regular expressions on their own, as in
// nginx.
func merge(cf *conf.Conf, outer, c *locConf) error {
	switch {
	case !c.given:
		c.sites, c.none, c.blocked = outer.sites, outer.none, outer.blocked
	case c.serverNames:
		for _, n := range http.ServerOf(cf).Names {
			if n.Regex != nil {
				c.serverRegexes = append(c.serverRegexes, n.Regex)
			} else if err := c.add(cf, n.Name, ""); err != nil {
				return err
			}
		}
	}
	if c.given && (c.none || c.blocked) && c.sites.Len() == 0 {
		return &conf.Error{Msg: `the "none" or "blocked" referers are specified in the "valid_referers" directive ` +
			`without any valid referer`}
	}
	if c.regexes == nil {
		c.regexes = outer.regexes
	}
	if c.serverRegexes == nil {
		c.serverRegexes = outer.serverRegexes
	}
	return nil
}

// invalid is the getter of $invalid_referer: "1" or "".
func invalid(r *http.Request, _ any) http.Value {
	c := slot.Of(r.Scope)
	ok, err := c.valid(r)
	switch {
	case err != nil:
		r.Logf(log.Alert, nil, "%s", err)
		return http.Value{}
	case ok:
		return http.Val("")
	}
	return http.Val("1")
}

const (
	// minReferer is the length of "http://i.ru", the shortest site.
	minReferer = 11
	// maxHost is the longest host that is looked at.
	maxHost = 256
)

// valid reports whether the request's referer is one of the valid ones. The
// error is that of a regular expression.
func (c *locConf) valid(r *http.Request) (bool, error) {
	if (c.sites == nil || c.sites.Len() == 0) && c.regexes == nil && c.serverRegexes == nil {
		return true, nil
	}
	referer, ok := r.In.Get(wire.HeaderReferer)
	if !ok {
		return c.none, nil
	}
	rest, ok := cutScheme(referer)
	if !ok || len(referer) < minReferer {
		return c.blocked, nil
	}
	end := strings.IndexAny(rest, "/:")
	if end < 0 {
		end = len(rest)
	}
	if end > maxHost {
		return false, nil
	}
	var few [maxHost]byte
	host := buf.String(wire.AppendLower(few[:0], rest[:end]))
	if path, ok := c.sites.Find(host); ok {
		after := rest[end:]
		return strings.HasPrefix(after[max(0, strings.IndexByte(after, '/')):], path), nil
	}
	if len(c.serverRegexes) > 0 {
		if ok, err := matchAny(c.serverRegexes, r.Pool.Clone(host)); ok || err != nil {
			return ok, err
		}
	}
	return matchAny(c.regexes, rest)
}

// cutScheme cuts "http://" or "https://" in any case off.
func cutScheme(s string) (rest string, ok bool) {
	for _, scheme := range []string{"http://", "https://"} {
		if len(s) >= len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			return s[len(scheme):], true
		}
	}
	return s, false
}

func matchAny(list []*http.Regex, s string) (bool, error) {
	for _, re := range list {
		if ok, err := re.Match(s); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
