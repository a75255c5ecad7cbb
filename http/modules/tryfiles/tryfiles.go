// Package tryfiles serves the first of several files that exists: nginx's
// ngx_http_try_files_module.
package tryfiles

import (
	"strings"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
)

// locConf is what a location says; it is not inherited.
type locConf struct {
	files []candidate
	// fallback is the last argument: a URI, a named location or, when code is
	// not zero, a status.
	fallback *http.Complex
	code     http.Verdict
}

// candidate is a file, or with dir a folder, to look for.
type candidate struct {
	name *http.Complex
	dir  bool
}

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation}

// Module is the try_files module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_try_files",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			slot.Custom("try_files", conf.HTTPServer|conf.HTTPLocation, conf.TwoMore, tryFilesDirective),
		},
	},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		m.Handle(http.PhasePreContent, slot.Where(func(c *locConf) bool { return c.fallback != nil }), handler)
		return nil
	},
}

// tryFilesDirective is "try_files file … uri" and "try_files file … =code".
func tryFilesDirective(cf *conf.Conf, l *locConf) error {
	if l.fallback != nil {
		return conf.ErrDuplicate
	}
	last := len(cf.Args) - 1
	for _, arg := range cf.Args[:last] {
		name, dir := strings.CutSuffix(arg, "/")
		c, err := http.CompileArg(cf, name)
		if err != nil {
			return err
		}
		l.files = append(l.files, candidate{c, dir})
	}
	arg := cf.Args[last]
	if code, ok := strings.CutPrefix(arg, "="); ok {
		n, ok := conf.ParseInt(code)
		if !ok || n > 999 {
			return cf.Errorf(`invalid code "%s"`, arg)
		}
		l.code = http.Verdict(n)
	}
	var err error
	l.fallback, err = http.CompileArg(cf, arg)
	return err
}

func handler(r *http.Request) http.Verdict {
	l := slot.Of(r.Scope)
	path, n, ok := r.MapPathRoot()
	if !ok {
		return http.StatusInternalServerError
	}
	root := path[:n]
	for i := range l.files {
		c := &l.files[i]
		name := withoutAlias(r, c.name)
		path := r.Pool.Concat(root, name)
		info, err := r.OpenFile(path, http.FileOptions{TestOnly: true})
		if err != nil {
			switch err.Errno {
			case 0:
				return http.StatusInternalServerError
			case unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG:
			default:
				r.Logf(log.Crit, err.Errno, `%s "%s" failed`, err.Call, path)
			}
			continue
		}
		if info.IsDir == c.dir {
			found(r, name, c.dir)
			return http.Declined
		}
	}
	if l.code != 0 {
		return l.code
	}
	uri := withoutAlias(r, l.fallback)
	if strings.HasPrefix(uri, "@") {
		return r.NamedLocation(uri)
	}
	return r.InternalRedirect(http.SplitArgs(uri))
}

// withoutAlias evaluates a name. If it has variables and begins with the part of
// the URI that alias replaces, as "$uri" does, that part is cut off.
func withoutAlias(r *http.Request, c *http.Complex) string {
	name, alias := c.Eval(r), r.Core.Alias
	if alias == 0 || alias == http.AliasRegex || c.Static() || alias > len(r.URI) {
		return name
	}
	return strings.TrimPrefix(name, r.URI[:alias])
}

// found points the request at the file.
func found(r *http.Request, name string, dir bool) {
	switch alias := r.Core.Alias; {
	case alias == 0:
		r.URI = name
	case alias != http.AliasRegex:
		r.URI = r.Pool.Concat(r.URI[:min(alias, len(r.URI))], name)
	case !dir:
		r.URI, r.AddURIToAlias = name, true
	}
	r.SetExten()
}
