package compress

import (
	"strings"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// Values of gzip_static and its like.
const (
	off = iota
	on
	always // also to clients that did not ask for it
)

var words = []conf.Word{{Name: "off", Value: off}, {Name: "on", Value: on}, {Name: "always", Value: always}}

type staticConf struct{ mode conf.Opt[int] }

// Static answers with files that were encoded beforehand, and lie beside the
// one that is asked for. It is declared once by a module, as a package variable.
type Static struct {
	// Coding is its name in Content-Encoding, Suffix what the names of encoded
	// files have in addition.
	Coding, Suffix string
	// Accepts reports whether the client of a request takes the coding and
	// nothing forbids it.
	Accepts func(r *http.Request) bool

	slot conf.Slot[staticConf]
}

// Module completes m with the directive.
func (s *Static) Module(m http.Module, directive string) *http.Module {
	s.slot.Level = conf.LevelLocation
	m.Slots = []conf.AnySlot{&s.slot}
	m.Directives = []conf.Directive{
		s.slot.Enum(directive, conf.HTTPAny, func(c *staticConf) *conf.Opt[int] { return &c.mode }, off, words),
	}
	m.Init = func(_ *conf.Conf, main *http.MainConf) error {
		main.Handle(http.PhaseContent, s.slot.Where(func(c *staticConf) bool { return c.mode.V != off }), s.handle)
		return nil
	}
	return &m
}

func (s *Static) handle(r *http.Request) http.Verdict {
	mode := s.slot.Of(r.Scope).mode.V
	if r.Method&(wire.GET|wire.HEAD) == 0 || strings.HasSuffix(r.URI, "/") {
		return http.Declined
	}
	accepted := mode == always || s.Accepts(r)
	if !accepted && !r.Core.GzipVary.V {
		return http.Declined
	}
	path, ok := r.MapPath()
	if !ok {
		return http.StatusInternalServerError
	}
	path = r.Pool.Concat(path, s.Suffix)
	f, err := r.OpenFile(path, http.FileOptions{})
	if err != nil {
		return openFailed(r, path, err)
	}
	if mode == on {
		r.GzipVary = true
		if !accepted {
			return http.Declined
		}
	}
	switch {
	case f.IsDir:
		return http.Declined
	case !f.IsFile:
		r.Logf(log.Crit, nil, `"%s" is not a regular file`, path)
		return http.StatusNotFound
	}
	if v := r.DiscardBody(); v != http.OK {
		return v
	}
	return r.SendFile(&f, s.Coding)
}

// openFailed leaves the request to others, having logged what is unexpected.
func openFailed(r *http.Request, path string, err *http.FileError) http.Verdict {
	level := log.Crit
	switch err.Errno {
	case 0:
		return http.StatusInternalServerError
	case unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG:
		return http.Declined
	case unix.EACCES, unix.EMLINK, unix.ELOOP:
		level = log.Error
	}
	r.Logf(level, err.Errno, `%s "%s" failed`, err.Call, path)
	return http.Declined
}
