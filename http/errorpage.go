package http

import (
	"errors"
	"strings"

	"moongate/conf"
)

// ErrorPage is what "error_page" says for one status.
type ErrorPage struct {
	Status int
	// Overwrite is the status of the response instead: 0 that of the page, -1
	// the one that led here.
	Overwrite int
	// Value is a URI, the name of a named location or the URL of a redirect;
	// Args is the query string of a URI without variables.
	Value *Complex
	Args  string
}

// errorPageDirective is "error_page code … [=[response]] uri".
func errorPageDirective(cf *conf.Conf, l *LocConf) error {
	if l.ErrorPages != nil && len(l.ErrorPages) == 0 {
		return errNoErrorPages
	}
	last := len(cf.Args) - 1
	codes, overwrite := cf.Args[:last], -1
	if arg := cf.Args[last-1]; strings.HasPrefix(arg, "=") {
		codes, overwrite = cf.Args[:last-1], 0
		if len(codes) == 0 {
			return cf.Errorf(`invalid value "%s"`, arg)
		}
		if arg != "=" {
			n, ok := conf.ParseInt(arg[1:])
			if !ok {
				return cf.Errorf(`invalid value "%s"`, arg)
			}
			overwrite = int(n)
		}
	}
	value, err := CompileArg(cf, cf.Args[last])
	if err != nil {
		return err
	}
	args := ""
	if value.Static() && strings.HasPrefix(value.Text, "/") {
		var uri string
		uri, args, _ = strings.Cut(value.Text, "?")
		value = &Complex{Text: uri}
	}
	for _, code := range codes {
		n, ok := conf.ParseInt(code)
		switch {
		case !ok || n == int64(StatusClientClosed):
			return cf.Errorf(`invalid value "%s"`, code)
		case n < 300 || n > 599:
			return cf.Errorf(`value "%s" must be between 300 and 599`, code)
		}
		p := ErrorPage{Status: int(n), Overwrite: overwrite, Value: value, Args: args}
		if overwrite == -1 {
			switch Verdict(n) {
			case StatusHTTPToHTTPS, StatusHTTPSCertError, StatusHTTPSNoCert, StatusRequestHeaderTooBig:
				p.Overwrite = int(StatusBadRequest)
			}
		}
		l.ErrorPages = append(l.ErrorPages, p)
	}
	return nil
}

// What the two directives say of each other.
var (
	errNoErrorPages = errors.New(`conflicts with "no_error_pages"`)
	errErrorPages   = errors.New(`conflicts with "error_page"`)
)

// noErrorPagesDirective is OpenResty's "no_error_pages": pages of outer blocks
// are not inherited.
func noErrorPagesDirective(_ *conf.Conf, l *LocConf) error {
	switch {
	case l.ErrorPages == nil:
		l.ErrorPages = []ErrorPage{}
		return nil
	case len(l.ErrorPages) == 0:
		return conf.ErrDuplicate
	}
	return errErrorPages
}
