package http

import (
	"strings"

	"moongate/conf"
	"moongate/core/log"
)

// rootDirective is "root path" and "alias path".
func rootDirective(cf *conf.Conf, l *LocConf) error {
	alias := cf.Name == "alias"
	if l.RootSet {
		if (l.Alias != 0) == alias {
			return conf.ErrDuplicate
		}
		earlier := "root"
		if l.Alias != 0 {
			earlier = "alias"
		}
		return cf.Errorf(`"%s" directive is duplicate, "%s" directive was specified earlier`, cf.Name, earlier)
	}
	if l.Named && alias {
		return cf.Errorf(`the "alias" directive cannot be used inside the named location`)
	}
	path := cf.Args[0]
	for _, name := range []string{"document_root", "realpath_root"} {
		if strings.Contains(path, "$"+name) || strings.Contains(path, "${"+name+"}") {
			return cf.Errorf(`the $%s variable cannot be used in the "%s" directive`, name, cf.Name)
		}
	}
	if alias {
		l.Alias = len(l.Name)
		if l.Regex != nil {
			l.Alias = AliasRegex
		}
	} else {
		path = strings.TrimSuffix(path, "/")
	}
	if !strings.HasPrefix(path, "$") {
		path = cf.Cycle.Path(path)
	}
	root, err := CompileArg(cf, path)
	if err != nil {
		return err
	}
	l.Root, l.RootSet = root, true
	return nil
}

// inheritRoot merges root and alias.
func (l *LocConf) inheritRoot(cf *conf.Conf, outer *LocConf) {
	if l.RootSet {
		return
	}
	if outer.Root == nil {
		outer.Root = &Complex{Text: cf.Cycle.Path("html")}
	}
	l.Root, l.Alias = outer.Root, outer.Alias
}

// documentRoot is the full path that root or alias gives. What variables make of
// it is below the prefix unless it is a full path itself (ngx_get_full_name).
func (r *Request) documentRoot() string {
	root := r.Core.Root
	dir := root.Eval(r)
	if root.Static() || strings.HasPrefix(dir, "/") {
		return dir
	}
	return r.Pool.Concat(r.Conn.Worker.Cycle.Conf.Prefix, dir)
}

// MapPath returns the file that the URI stands for under root or alias:
// nginx's ngx_http_map_uri_to_path. It reports false, having logged why, when
// there is none.
func (r *Request) MapPath() (path string, ok bool) {
	path, _, ok = r.MapPathRoot()
	return path, ok
}

// MapPathRoot is MapPath with the length of the part that came from root or
// alias.
func (r *Request) MapPathRoot() (path string, root int, ok bool) {
	l := r.Core
	if l.Alias != 0 && !r.ValidLocation {
		r.Logf(log.Alert, nil, `"alias" cannot be used in location "%s" where URI was rewritten`, l.Name)
		return "", 0, false
	}
	dir, rest := r.documentRoot(), ""
	switch {
	case l.Alias != AliasRegex:
		rest = r.URI[min(l.Alias, len(r.URI)):]
	case r.AddURIToAlias:
		rest = r.URI
	}
	return r.Pool.Concat(dir, rest), len(dir), true
}
