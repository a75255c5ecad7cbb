// Package autoindex lists folders: nginx's ngx_http_autoindex_module.
package autoindex

import (
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// Values of autoindex_format.
const (
	formatHTML = iota
	formatJSON
	formatJSONP
	formatXML
)

var formatWords = []conf.Word{{Name: "html", Value: formatHTML}, {Name: "json", Value: formatJSON},
	{Name: "jsonp", Value: formatJSONP}, {Name: "xml", Value: formatXML}}

// locConf is what a location says.
type locConf struct {
	enable    conf.Opt[bool]
	format    conf.Opt[int]
	localtime conf.Opt[bool]
	exactSize conf.Opt[bool]
}

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation}

// Module is the autoindex module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_autoindex",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			slot.Flag("autoindex", conf.HTTPAny, func(c *locConf) *conf.Opt[bool] { return &c.enable }, false),
			slot.Enum("autoindex_format", conf.HTTPAny, func(c *locConf) *conf.Opt[int] { return &c.format }, formatHTML, formatWords),
			slot.Flag("autoindex_localtime", conf.HTTPAny, func(c *locConf) *conf.Opt[bool] { return &c.localtime }, false),
			slot.Flag("autoindex_exact_size", conf.HTTPAny, func(c *locConf) *conf.Opt[bool] { return &c.exactSize }, true),
		},
	},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		m.Handle(http.PhaseContent, slot.Where(func(c *locConf) bool { return c.enable.V }), handler)
		return nil
	},
}

// entry is a file of the folder.
type entry struct {
	name        string
	dir, file   bool
	mtime, size int64
}

// kind is what the machine-readable formats call an entry.
func (e *entry) kind() string {
	switch {
	case e.dir:
		return "directory"
	case e.file:
		return "file"
	}
	return "other"
}

func handler(r *http.Request) http.Verdict {
	c := slot.Of(r.Scope)
	if !strings.HasSuffix(r.URI, "/") || r.Method&(wire.GET|wire.HEAD) == 0 {
		return http.Declined
	}
	if v := r.DiscardBody(); v != http.OK {
		return v
	}
	path, ok := r.MapPath()
	if !ok {
		return http.StatusInternalServerError
	}
	if len(path) > 1 {
		path = path[:len(path)-1]
	}
	format, callback := c.format.V, ""
	if format == formatJSONP {
		if callback, ok = callbackArg(r); !ok {
			return http.StatusBadRequest
		}
		if callback == "" {
			format = formatJSON
		}
	}
	dir, v := r.OpenFolder(path)
	if v != http.OK {
		return v
	}
	defer dir.Close()
	r.Out.Status = int(http.StatusOK)
	switch format {
	case formatJSON:
		r.Out.ContentType = "application/json"
	case formatJSONP:
		r.Out.ContentType = "application/javascript"
	case formatXML:
		r.Out.ContentType, r.Out.Charset = "text/xml", "utf-8"
	default:
		r.Out.ContentType = "text/html"
	}
	if v := r.SendHeader(); v == http.Error || v > http.OK || r.HeaderOnly {
		return v
	}
	entries, ok := read(r, dir, path)
	if !ok {
		return http.Error
	}
	var page []byte
	switch format {
	case formatJSON, formatJSONP:
		page = appendJSON(nil, entries, callback)
	case formatXML:
		page = appendXML(nil, entries)
	default:
		page = appendHTML(r, c, entries)
	}
	return r.OutputBytes(page, true)
}

// read collects the entries whose names do not begin with a dot: folders first,
// in the order of their bytes.
func read(r *http.Request, dir *os.File, path string) ([]entry, bool) {
	names, err := dir.Readdirnames(-1)
	if err != nil {
		r.Logf(log.Crit, err, `readdir() "%s" failed`, path)
		return nil, false
	}
	entries := make([]entry, 0, len(names))
	for _, name := range names {
		if name[0] == '.' {
			continue
		}
		full := path + "/" + name
		var st unix.Stat_t
		if err := unix.Stat(full, &st); err != nil {
			if err != unix.ENOENT && err != unix.ELOOP {
				r.Logf(log.Crit, err, `stat() "%s" failed`, full)
				if err == unix.EACCES {
					continue
				}
				return nil, false
			}
			if err := unix.Lstat(full, &st); err != nil {
				r.Logf(log.Crit, err, `lstat() "%s" failed`, full)
				return nil, false
			}
		}
		kind := st.Mode & unix.S_IFMT
		entries = append(entries, entry{
			name: name, dir: kind == unix.S_IFDIR, file: kind == unix.S_IFREG, mtime: st.Mtim.Sec, size: st.Size,
		})
	}
	slices.SortFunc(entries, func(a, b entry) int {
		switch {
		case a.dir && !b.dir:
			return -1
		case b.dir && !a.dir:
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	return entries, true
}

// maxCallback is the longest name of a callback in bytes.
const maxCallback = 128

// callbackArg returns the argument "callback", which must be a plain name.
func callbackArg(r *http.Request) (name string, ok bool) {
	v, ok := wire.Arg(buf.Bytes(r.Args), "callback")
	if !ok {
		return "", true
	}
	if len(v) > maxCallback {
		r.Logf(log.Info, nil, `client sent too long callback name: "%s"`, v)
		return "", false
	}
	for _, c := range v {
		if (c|0x20)-'a' > 'z'-'a' && c-'0' > 9 && c != '_' && c != '.' {
			r.Logf(log.Info, nil, `client sent invalid callback name: "%s"`, v)
			return "", false
		}
	}
	return buf.String(v), true
}
