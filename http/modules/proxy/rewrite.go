package proxy

import (
	"strings"

	"moongate/conf"
	"moongate/core/log"
	"moongate/core/regex"
	"moongate/http"
	"moongate/http/upstream"
)

// rules are the directives of one kind in a block, or that it has "off".
type rules[T any] struct {
	list []T
	set  bool
}

func (o *rules[T]) inherit(outer *rules[T]) {
	if !o.set {
		*o = *outer
	}
}

// off reads "directive off": it must be the only one of its kind. done is
// false for other arguments.
func (o *rules[T]) off(cf *conf.Conf) (done bool, err error) {
	if o.set && o.list == nil {
		return true, conf.ErrDuplicate
	}
	if len(cf.Args) > 1 {
		o.set = true
		return false, nil
	}
	switch {
	case cf.Args[0] != "off":
		return true, cf.Errorf(`invalid parameter "%s"`, cf.Args[0])
	case o.set:
		return true, conf.ErrDuplicate
	}
	o.set = true
	return true, nil
}

// rewrite is one rule about a part of a response's field: nginx's
// ngx_http_proxy_rewrite_t.
type rewrite struct {
	// regex or pattern says what is replaced.
	regex       *http.Regex
	pattern     *http.Complex
	replacement *http.Complex
	// domain: the pattern is the whole value, in any case, without a leading
	// dot; otherwise it is a prefix.
	domain bool
}

// apply rewrites value from an offset on.
func (w *rewrite) apply(r *http.Request, value string, from int) (string, bool) {
	rest := value[from:]
	switch {
	case w.regex != nil:
		ok, err := w.regex.Exec(r, rest)
		if err != nil {
			r.Logf(log.Alert, nil, "%s", err)
		}
		if !ok {
			return value, false
		}
		return r.Pool.Concat(value[:from], w.replacement.Eval(r)), true
	case w.domain:
		if strings.HasPrefix(rest, ".") {
			from++
			rest = rest[1:]
		}
		if !strings.EqualFold(rest, w.pattern.Eval(r)) {
			return value, false
		}
		return r.Pool.Concat(value[:from], w.replacement.Eval(r)), true
	}
	rest, ok := strings.CutPrefix(rest, w.pattern.Eval(r))
	if !ok {
		return value, false
	}
	return r.Pool.Concat(value[:from], w.replacement.Eval(r), rest), true
}

// apply rewrites by the first rule that is about the value.
func apply(r *http.Request, list []rewrite, value string, from int) (string, bool) {
	for i := range list {
		if s, ok := list[i].apply(r, value, from); ok {
			return s, true
		}
	}
	return value, false
}

// newRewrite reads the two arguments of a rule; a pattern that begins with "~"
// is a regular expression.
func newRewrite(cf *conf.Conf, pattern, replacement string, caseless bool) (w rewrite, err error) {
	if re, ok := strings.CutPrefix(pattern, "~"); ok {
		if s, ok := strings.CutPrefix(re, "*"); ok && !caseless {
			re, caseless = s, true
		}
		var options regex.Options
		if caseless {
			options = regex.Caseless
		}
		if w.regex, err = http.MainOf(cf).CompileRegex(cf, re, options); err != nil {
			return w, err
		}
	} else if w.pattern, err = http.CompileArg(cf, pattern); err != nil {
		return w, err
	}
	w.replacement, err = http.CompileArg(cf, replacement)
	return w, err
}

// defaultRedirect is the rule of "proxy_redirect default".
func (c *locConf) defaultRedirect() rewrite {
	if c.vars.uri != "" {
		return rewrite{pattern: &http.Complex{Text: c.url}, replacement: &http.Complex{Text: c.location}}
	}
	return rewrite{pattern: &http.Complex{Text: c.url + "/"}, replacement: &http.Complex{Text: "/"}}
}

// redirectDirective is "proxy_redirect off | default | redirect replacement".
func redirectDirective(cf *conf.Conf, c *locConf) error {
	if c.redirect.Set && !c.redirect.V {
		return conf.ErrDuplicate
	}
	c.redirect.Put(true)
	if len(cf.Args) == 2 {
		w, err := newRewrite(cf, cf.Args[0], cf.Args[1], false)
		c.redirects = append(c.redirects, w)
		return err
	}
	switch cf.Args[0] {
	case "off":
		if c.redirects != nil {
			return conf.ErrDuplicate
		}
		c.redirect.V = false
		return nil
	case "default":
	default:
		return cf.Errorf(`invalid parameter "%s"`, cf.Args[0])
	}
	switch {
	case c.pass != nil:
		return cf.Errorf(`"proxy_redirect default" cannot be used with "proxy_pass" directive with variables`)
	case c.url == "":
		return cf.Errorf(`"proxy_redirect default" should be placed after the "proxy_pass" directive`)
	}
	c.redirects = append(c.redirects, c.defaultRedirect())
	return nil
}

// cookieDomainDirective is "proxy_cookie_domain off | domain replacement".
func cookieDomainDirective(cf *conf.Conf, c *locConf) error {
	o := &c.cookieDomains
	if done, err := o.off(cf); done || err != nil {
		return err
	}
	pattern, replacement := cf.Args[0], cf.Args[1]
	isRegex := strings.HasPrefix(pattern, "~")
	if !isRegex {
		pattern, replacement = strings.TrimPrefix(pattern, "."), strings.TrimPrefix(replacement, ".")
	}
	w, err := newRewrite(cf, pattern, replacement, true)
	w.domain = !isRegex
	o.list = append(o.list, w)
	return err
}

// cookiePathDirective is "proxy_cookie_path off | path replacement".
func cookiePathDirective(cf *conf.Conf, c *locConf) error {
	o := &c.cookiePaths
	if done, err := o.off(cf); done || err != nil {
		return err
	}
	w, err := newRewrite(cf, cf.Args[0], cf.Args[1], false)
	o.list = append(o.list, w)
	return err
}

// Redirect implements upstream.Rewriter.
func (x *exchange) Redirect(e *upstream.Exchange, value string, from int) (string, bool) {
	return apply(e.R, x.conf.redirects, value, from)
}
