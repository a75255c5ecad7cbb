// Package authbasic asks for user name and password: nginx's
// ngx_http_auth_basic_module.
package authbasic

import (
	"strings"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/crypt"
	"moongate/core/log"
	"moongate/http"
)

// locConf is what a location asks for.
type locConf struct {
	realm, file conf.Opt[*http.Complex]
}

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation}

const in = conf.HTTPAny | conf.HTTPLimitExcept

// Module is the auth_basic module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_auth_basic",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			conf.Value(slot, "auth_basic", in, conf.Take1,
				func(c *locConf) *conf.Opt[*http.Complex] { return &c.realm }, nil, parseRealm),
			conf.Value(slot, "auth_basic_user_file", in, conf.Take1,
				func(c *locConf) *conf.Opt[*http.Complex] { return &c.file }, nil, parseFile),
		},
	},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		m.Handle(http.PhaseAccess, slot.Where(func(c *locConf) bool { return c.realm.V != nil && c.file.V != nil }), handler)
		return nil
	},
}

func parseRealm(cf *conf.Conf) (*http.Complex, error) { return http.CompileArg(cf, cf.Args[0]) }

// parseFile reads a path, which is relative to the folder of the configuration
// unless it begins with a variable.
func parseFile(cf *conf.Conf) (*http.Complex, error) {
	path := cf.Args[0]
	if !strings.HasPrefix(path, "$") {
		path = cf.Cycle.ConfPath(path)
	}
	return http.CompileArg(cf, path)
}

func handler(r *http.Request) http.Verdict {
	c := slot.Of(r.Scope)
	realm := c.realm.V.Eval(r)
	if realm == "off" {
		return http.Declined
	}
	if !r.ParseBasicAuth() {
		r.Logf(log.Info, nil, "no user/password was provided for basic authentication")
		return r.RequireAuth(realm)
	}
	path := c.file.V.Eval(r)
	if !strings.HasPrefix(path, "/") {
		path = r.Conn.Worker.Cycle.Conf.ConfPath(path)
	}
	hash, found, v := readHash(r, path)
	switch {
	case v != http.OK:
		return v
	case !found:
		r.Error(`user "%s" was not found in "%s"`, r.In.User, path)
		return r.RequireAuth(realm)
	}
	ok, err := match(r, hash)
	switch {
	case ok:
		return http.OK
	case err != nil:
		r.Error(`user "%s": password mismatch, %s`, r.In.User, err)
	default:
		r.Error(`user "%s": password mismatch`, r.In.User)
	}
	return r.RequireAuth(realm)
}

// match compares the password of a request with a hash, on another goroutine if
// that takes its time.
func match(r *http.Request, hash string) (ok bool, err error) {
	password := r.In.Passwd
	if !crypt.Slow(hash) {
		return crypt.Match(password, hash)
	}
	r.Loop().Offload(func() { ok, err = crypt.Match(password, hash) })
	return ok, err
}

// readHash finds what a password file has for the user of a request. The file
// is read each time, so that a change is in effect at once.
func readHash(r *http.Request, path string) (hash string, found bool, v http.Verdict) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	switch {
	case err == unix.ENOENT:
		r.Logf(log.Error, err, `open() "%s" failed`, path)
		return "", false, http.StatusForbidden
	case err != nil:
		r.Logf(log.Crit, err, `open() "%s" failed`, path)
		return "", false, http.StatusInternalServerError
	}
	defer unix.Close(fd)
	s := scanner{user: r.In.User}
	for {
		n, err := unix.Read(fd, s.buf[:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			r.Logf(log.Crit, err, `pread() "%s" failed`, path)
			return "", false, http.StatusInternalServerError
		}
		if s.scan(n) || n == 0 {
			hash, found = s.result()
			return hash, found, http.OK
		}
	}
}
