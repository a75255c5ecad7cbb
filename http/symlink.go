package http

import (
	"strings"

	"golang.org/x/sys/unix"

	"moongate/conf"
)

// Modes of disable_symlinks.
const (
	SymlinksAllowed = iota
	// SymlinksDenied: no component of a path may be a symbolic link.
	SymlinksDenied
	// SymlinksOfOwner: a link must belong to whom what it leads to belongs to.
	SymlinksOfOwner
)

// SymlinkRule is "disable_symlinks". Components of the part of a path that
// From gives are not checked; nil checks all.
type SymlinkRule struct {
	Mode int
	From *Complex
}

// parseSymlinkRule reads "disable_symlinks off | on|if_not_owner [from=part]".
func parseSymlinkRule(cf *conf.Conf) (SymlinkRule, error) {
	rule, mode := SymlinkRule{}, false
	for _, arg := range cf.Args {
		switch arg {
		case "off":
			rule.Mode, mode = SymlinksAllowed, true
			continue
		case "on":
			rule.Mode, mode = SymlinksDenied, true
			continue
		case "if_not_owner":
			rule.Mode, mode = SymlinksOfOwner, true
			continue
		}
		from, ok := strings.CutPrefix(arg, "from=")
		if !ok {
			return rule, cf.Errorf(`invalid parameter "%s"`, arg)
		}
		var err error
		if rule.From, err = CompileArg(cf, from); err != nil {
			return rule, err
		}
	}
	switch {
	case !mode:
		return rule, cf.Errorf(`"%s" must have "off", "on" or "if_not_owner" parameter`, cf.Name)
	case len(cf.Args) == 1:
		return rule, nil
	case rule.From == nil:
		return rule, cf.Errorf(`duplicate parameters "%s %s"`, cf.Args[0], cf.Args[1])
	case rule.Mode == SymlinksAllowed:
		return rule, cf.Errorf(`"from=" cannot be used with "off" parameter`)
	}
	return rule, nil
}

// symlinkCheck is a SymlinkRule for one path: from is the length of the part
// that is not checked.
type symlinkCheck struct {
	mode, from int
}

// check evaluates the rule for a path: nginx's ngx_http_set_disable_symlinks.
func (rule *SymlinkRule) check(r *Request, path string) symlinkCheck {
	c := symlinkCheck{mode: rule.Mode}
	if rule.From == nil {
		return c
	}
	from := rule.From.Eval(r)
	switch {
	case from == "" || !strings.HasPrefix(path, from):
	case len(from) == len(path):
		c.mode = SymlinksAllowed
	case path[len(from)] == '/':
		c.from = len(from)
	case from[len(from)-1] == '/':
		c.from = len(from) - 1
	}
	return c
}

// openChecked opens a path component by component, so that links are noticed:
// the checking half of nginx's ngx_open_file_wrapper.
func (p *filePool) openChecked(path string, flags int, c symlinkCheck) (int, fileCall, unix.Errno) {
	const search = unix.O_PATH | unix.O_DIRECTORY | unix.O_NONBLOCK | unix.O_CLOEXEC
	at, rest := unix.AT_FDCWD, path
	start, call := "", callOpenat
	switch {
	case c.from > 0:
		start, rest, call = path[:c.from], path[c.from+1:], callOpen
	case strings.HasPrefix(path, "/"):
		start, rest = "/", path[1:]
	}
	if start != "" {
		var e unix.Errno
		if at, e = p.openat(unix.AT_FDCWD, start, search); e != 0 {
			return -1, call, e
		}
	}
	for {
		name, after, more := strings.Cut(rest, "/")
		if !more {
			break
		}
		rest = after
		if name == "" {
			continue
		}
		fd, e := p.openStep(at, name, search, c.mode)
		closeAt(at)
		if e != 0 {
			return -1, callOpenat, e
		}
		at = fd
	}
	var fd int
	var e unix.Errno
	if rest == "" {
		// A slash at the end wants a directory: reopening one by "." is what
		// fails with ENOTDIR for anything else.
		fd, e = p.openat(at, ".", flags)
	} else {
		fd, e = p.openStep(at, rest, flags, c.mode)
	}
	closeAt(at)
	return fd, callOpenat, e
}

func closeAt(fd int) {
	if fd >= 0 {
		closeFD(fd)
	}
}

// openStep opens one component. Under SymlinksOfOwner the owners of the name
// and of what was opened are compared even if the name is no link now, because
// it may have been one when it was opened.
func (p *filePool) openStep(at int, name string, flags, mode int) (int, unix.Errno) {
	if mode == SymlinksDenied {
		return p.openat(at, name, flags|unix.O_NOFOLLOW)
	}
	fd, e := p.openat(at, name, flags)
	if e != 0 {
		return -1, e
	}
	e = p.statat(at, name, unix.AT_SYMLINK_NOFOLLOW)
	link := p.stat.Uid
	if e == 0 {
		e = p.fstat(fd)
	}
	if e == 0 && p.stat.Uid != link {
		e = unix.ELOOP
	}
	if e != 0 {
		closeFD(fd)
		return -1, e
	}
	return fd, 0
}
