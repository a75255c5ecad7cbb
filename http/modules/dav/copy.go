package dav

import (
	"strings"

	"golang.org/x/sys/unix"

	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// copyMove copies or moves a file or a folder.
func copyMove(r *http.Request) http.Verdict {
	if r.HasBody() {
		r.Error("COPY and MOVE with body are unsupported")
		return http.StatusUnsupportedMediaType
	}
	header, uri, v := destination(r)
	if v != http.OK {
		return v
	}
	if isCollection(r) != strings.HasSuffix(header, "/") {
		r.Error(`both URI "%s" and "Destination" URI "%s" should be either collections or non-collections`, r.URI, header)
		return http.StatusConflict
	}
	if alias := r.Core.Alias; alias != http.AliasRegex && len(uri) < alias {
		r.Error(`client sent invalid "Destination" header: "%s"`, header)
		return http.StatusBadRequest
	}
	if d := depth(r, depthInfinity); d != depthInfinity {
		switch {
		case r.Method != wire.COPY:
			r.Error(`"Depth" header must be infinity`)
			return http.StatusBadRequest
		case d != 0:
			r.Error(`"Depth" header must be 0 or infinity`)
			return http.StatusBadRequest
		}
	}
	overwrite, ok := overwriteHeader(r)
	if !ok {
		return http.StatusBadRequest
	}
	t := transfer{r: r, header: header, overwrite: overwrite}
	if !t.mapPaths(uri) {
		return http.StatusInternalServerError
	}
	return t.run()
}

// destination returns the Destination header and the decoded path that it leads
// to, which has to be on this server.
func destination(r *http.Request) (header, uri string, v http.Verdict) {
	header, ok := r.In.Get(wire.HeaderDestination)
	if !ok {
		r.Error(`client sent no "Destination" header`)
		return "", "", http.StatusBadRequest
	}
	path := header
	if !strings.HasPrefix(path, "/") {
		if r.HostName == "" {
			r.Error(`client sent no "Host" header`)
			return "", "", http.StatusBadRequest
		}
		host, ok := strings.CutPrefix(header, r.Conn.Scheme()+"://")
		if !ok {
			return header, "", badDestination(r, header)
		}
		rest, ok := strings.CutPrefix(host, r.HostName)
		if !ok {
			r.Error(`"Destination" URI "%s" is handled by different repository than the source URI`, header)
			return "", "", http.StatusBadRequest
		}
		slash := strings.IndexByte(rest, '/')
		if slash < 0 {
			return header, "", badDestination(r, header)
		}
		path = rest[slash:]
	}
	decoded, _, ok := wire.ParseUnsafeURI(r.Pool.Alloc(len(path)), buf.Bytes(path))
	if !ok {
		r.Error(`unsafe URI "%s" was detected`, path)
		return header, "", badDestination(r, header)
	}
	return header, buf.String(decoded), http.OK
}

func badDestination(r *http.Request, header string) http.Verdict {
	r.Error(`client sent invalid "Destination" header: "%s"`, header)
	return http.StatusBadRequest
}

// overwriteHeader reads Overwrite, which is on unless it says otherwise.
func overwriteHeader(r *http.Request) (overwrite, ok bool) {
	v, has := r.In.Get(wire.HeaderOverwrite)
	switch {
	case !has, strings.EqualFold(v, "T"):
		return true, true
	case strings.EqualFold(v, "F"):
		return false, true
	}
	r.Error(`client sent invalid "Overwrite" header: "%s"`, v)
	return false, false
}

// transfer is a COPY or MOVE under way.
type transfer struct {
	r *http.Request
	// src and dst are without a slash at their end; slash tells whether dst had
	// one.
	src, dst  string
	header    string // Destination
	slash     bool
	overwrite bool
}

// mapPaths finds the files for both URIs.
func (t *transfer) mapPaths(uri string) bool {
	r := t.r
	src, ok := r.MapPath()
	if !ok {
		return false
	}
	own := r.URI
	r.URI = uri
	dst, ok := r.MapPath()
	r.URI = own
	if !ok {
		return false
	}
	t.src = strings.TrimSuffix(mergeSlashes(src), "/")
	t.dst, t.slash = strings.CutSuffix(mergeSlashes(dst), "/")
	return true
}

// mergeSlashes leaves one of several slashes in a row.
func mergeSlashes(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	b := make([]byte, 0, len(path))
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b = append(b, path[i])
		}
	}
	return string(b)
}

// valid checks that neither is the other or inside it.
func (t *transfer) valid() bool {
	n := min(len(t.src), len(t.dst))
	switch {
	case t.src == t.dst:
		t.r.Error(`both URI "%s" and "Destination" URI "%s" point to the same location`, t.r.URI, t.header)
		return false
	case t.slash && t.src[:n] == t.dst[:n] && (len(t.src) < len(t.dst) && t.dst[n] == '/' || len(t.src) > n && t.src[n] == '/'):
		t.r.Error(`"%s" could not be %sed to collection "%s"`, t.r.URI, t.r.MethodName, t.header)
		return false
	}
	return true
}

// run checks what there is at both ends and does the work.
func (t *transfer) run() http.Verdict {
	r := t.r
	if !t.valid() {
		return http.StatusForbidden
	}
	var st unix.Stat_t
	dir := false
	err := unix.Lstat(t.dst, &st)
	switch {
	case err == unix.ENOENT:
		t.overwrite = false
	case err != nil:
		return failed(r, err, http.StatusNotFound, "lstat()", t.dst)
	default:
		dir = st.Mode&unix.S_IFMT == unix.S_IFDIR
		if dir && !t.slash {
			r.Error(`"%s" could not be %sed to collection "%s"`, r.URI, r.MethodName, t.header)
			return http.StatusConflict
		}
		if !t.overwrite {
			r.Logf(log.Error, unix.EEXIST, `"%s" could not be created`, t.dst)
			return http.StatusPreconditionFailed
		}
	}
	src := t.src
	if isCollection(r) {
		src += "/" // what is not a folder is refused
	}
	if err := unix.Lstat(src, &st); err != nil {
		return failed(r, err, http.StatusNotFound, "lstat()", src)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return t.file(&st)
	}
	if !isCollection(r) {
		r.Error(`"%s" is collection`, r.URI)
		return http.StatusBadRequest
	}
	if t.overwrite {
		if v := deletePath(r, t.dst, dir); v != http.OK {
			return v
		}
	}
	return t.folder(&st)
}

// folder transfers a folder with all that is in it.
func (t *transfer) folder(st *unix.Stat_t) http.Verdict {
	r := t.r
	if r.Method == wire.MOVE && unix.Rename(t.src, t.dst) == nil {
		return http.StatusCreated
	}
	if err := unix.Mkdir(t.dst, st.Mode&accessBits); err != nil {
		return failed(r, err, http.StatusNotFound, "mkdir()", t.dst)
	}
	to := func(path string) string { return t.dst + path[len(t.src):] }
	w := walker{
		r: r, follow: true,
		file: func(path string, st *unix.Stat_t) { copyFile(r, path, to(path), st) },
		enter: func(path string, st *unix.Stat_t) {
			if err := unix.Mkdir(to(path), dirAccess(st.Mode&accessBits)); err != nil {
				failed(r, err, 0, "mkdir()", to(path))
			}
		},
		leave: func(path string, st *unix.Stat_t) {
			if err := setTime(r, to(path), st.Mtim.Sec); err != nil {
				r.Logf(log.Alert, err, `utimes() "%s" failed`, to(path))
			}
		},
	}
	if !w.walk(t.src, 0) {
		return http.StatusInternalServerError
	}
	if r.Method == wire.MOVE {
		if v := deletePath(r, t.src, true); v != http.OK {
			return v
		}
	}
	return http.StatusCreated
}

// file transfers a single file.
func (t *transfer) file(st *unix.Stat_t) http.Verdict {
	ok := false
	if t.r.Method == wire.MOVE {
		m := move{r: t.r, pathAccess: slot.Of(t.r.Scope).access.V, time: -1, createPath: true}
		ok = m.rename(t.src, t.dst)
	} else {
		ok = copyFile(t.r, t.src, t.dst, st)
	}
	if !ok {
		return http.StatusInternalServerError
	}
	return http.StatusNoContent
}
