package proxy

import (
	"strings"

	"moongate/conf"
	"moongate/core/log"
	"moongate/core/regex"
	"moongate/http"
	"moongate/http/upstream"
)

// cookieFlags is a "proxy_cookie_flags": which cookies, and what is set on
// them.
type cookieFlags struct {
	regex *http.Regex
	name  *http.Complex
	flags []*http.Complex
}

// cookieFlagsDirective is "proxy_cookie_flags off | cookie [flag …]".
func cookieFlagsDirective(cf *conf.Conf, c *locConf) error {
	o := &c.cookieFlags
	if done, err := o.off(cf); done || err != nil {
		return err
	}
	var f cookieFlags
	var err error
	if re, ok := strings.CutPrefix(cf.Args[0], "~"); ok {
		f.regex, err = http.MainOf(cf).CompileRegex(cf, re, regex.Caseless)
	} else {
		f.name, err = http.CompileArg(cf, cf.Args[0])
	}
	if err != nil {
		return err
	}
	for _, arg := range cf.Args[1:] {
		flag, err := http.CompileArg(cf, arg)
		if err != nil {
			return err
		}
		f.flags = append(f.flags, flag)
	}
	o.list = append(o.list, f)
	return nil
}

// attr is a part of a Set-Cookie field: the cookie itself or an attribute.
type attr struct {
	name, value string
	// assigned: there is a value.
	assigned bool
	gone     bool
}

// parseCookie takes a Set-Cookie field apart.
func parseCookie(s string) (attrs []attr) {
	for {
		part, rest, more := strings.Cut(s, ";")
		name, value, assigned := strings.Cut(part, "=")
		attrs = append(attrs, attr{
			name: strings.Trim(name, " "), value: strings.Trim(value, " "), assigned: assigned,
		})
		if !more {
			return attrs
		}
		s = rest
	}
}

// Cookie implements upstream.Rewriter.
func (x *exchange) Cookie(e *upstream.Exchange, value string) (string, bool) {
	c, r := x.conf, e.R
	if c.cookieDomains.list == nil && c.cookiePaths.list == nil && c.cookieFlags.list == nil {
		return value, false
	}
	attrs := parseCookie(value)
	if !attrs[0].assigned {
		return value, false
	}
	changed := false
	for i := range attrs[1:] {
		a := &attrs[i+1]
		if !a.assigned {
			continue
		}
		var ok bool
		switch {
		case strings.EqualFold(a.name, "domain"):
			a.value, ok = apply(r, c.cookieDomains.list, a.value, 0)
		case strings.EqualFold(a.name, "path"):
			a.value, ok = apply(r, c.cookiePaths.list, a.value, 0)
		}
		changed = changed || ok
	}
	if flags := x.cookieFlags(r, attrs[0].name); flags != (flagSet{}) {
		attrs, changed = flags.edit(attrs), true
	}
	if !changed {
		return value, false
	}
	return joinCookie(r, attrs), true
}

func joinCookie(r *http.Request, attrs []attr) string {
	var b []byte
	for i, a := range attrs {
		if a.gone {
			continue
		}
		if i > 0 {
			b = append(b, "; "...)
		}
		b = append(b, a.name...)
		if a.assigned {
			b = append(append(b, '='), a.value...)
		}
	}
	return r.Pool.String(b)
}

// toggle says what becomes of an attribute without a value.
type toggle uint8

const (
	keep toggle = iota
	on
	off // "on" prevails
)

// flagSet is what is to become of a cookie's attributes. sameSite is the value
// to set, or noSameSite.
type flagSet struct {
	secure, httpOnly toggle
	sameSite         sameSite
}

// sameSite is what becomes of SameSite; of several the greatest counts.
type sameSite uint8

const (
	siteKeep sameSite = iota
	siteOff
	siteNone
	siteLax
	siteStrict
)

var siteValues = [...]string{siteNone: "None", siteLax: "Lax", siteStrict: "Strict"}

// cookieFlags finds the flags for a cookie: those of the first directive that
// is about it.
func (x *exchange) cookieFlags(r *http.Request, name string) (f flagSet) {
	for i := range x.conf.cookieFlags.list {
		rule := &x.conf.cookieFlags.list[i]
		if !rule.about(r, name) {
			continue
		}
		for _, flag := range rule.flags {
			f.add(strings.ToLower(flag.Eval(r)))
		}
		return f
	}
	return f
}

func (c *cookieFlags) about(r *http.Request, name string) bool {
	if c.regex == nil {
		return strings.EqualFold(name, c.name.Eval(r))
	}
	ok, err := c.regex.Exec(r, name)
	if err != nil {
		r.Logf(log.Alert, nil, "%s", err)
	}
	return ok
}

func (t toggle) orOff() toggle {
	if t == on {
		return on
	}
	return off
}

func (f *flagSet) add(flag string) {
	switch flag {
	case "secure":
		f.secure = on
	case "nosecure":
		f.secure = f.secure.orOff()
	case "httponly":
		f.httpOnly = on
	case "nohttponly":
		f.httpOnly = f.httpOnly.orOff()
	case "samesite=strict":
		f.sameSite = siteStrict
	case "samesite=lax":
		f.sameSite = max(f.sameSite, siteLax)
	case "samesite=none":
		f.sameSite = max(f.sameSite, siteNone)
	case "nosamesite":
		f.sameSite = max(f.sameSite, siteOff)
	}
}

// edit changes the attributes of a cookie.
func (f flagSet) edit(attrs []attr) []attr {
	for i := range attrs[1:] {
		a := &attrs[i+1]
		switch {
		case strings.EqualFold(a.name, "secure"):
			a.gone = f.secure == off
			if f.secure == on {
				f.secure = keep
			}
		case strings.EqualFold(a.name, "httponly"):
			a.gone = f.httpOnly == off
			if f.httpOnly == on {
				f.httpOnly = keep
			}
		case !strings.EqualFold(a.name, "samesite"):
		case f.sameSite == siteOff:
			a.gone = true
		case f.sameSite > siteOff:
			if value := siteValues[f.sameSite]; !strings.EqualFold(a.value, value) {
				*a = attr{name: "SameSite", value: value, assigned: true}
			}
			f.sameSite = siteKeep
		}
	}
	if f.secure == on {
		attrs = append(attrs, attr{name: "Secure"})
	}
	if f.httpOnly == on {
		attrs = append(attrs, attr{name: "HttpOnly"})
	}
	if f.sameSite > siteOff {
		attrs = append(attrs, attr{name: "SameSite", value: siteValues[f.sameSite], assigned: true})
	}
	return attrs
}
