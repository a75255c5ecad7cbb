package http

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"moongate/core/log"
	"moongate/http/wire"
)

// FilePart is what of a file a response consists of: Head, if any, and then the
// file from From up to To.
type FilePart struct {
	Head     []byte
	From, To int64
	// Action is what the log says is being done.
	Action string
}

// SendFile answers with a file as it is; coding is its Content-Encoding, if it
// has one.
func (r *Request) SendFile(f *FileInfo, coding string) Verdict {
	return r.sendFile(f, coding, FilePart{To: f.Size, Action: "sending response to client"})
}

// SendFilePart answers with a part of a file. Its time and size make the entity
// tag.
func (r *Request) SendFilePart(f *FileInfo, p FilePart) Verdict { return r.sendFile(f, "", p) }

func (r *Request) sendFile(f *FileInfo, coding string, p FilePart) Verdict {
	r.Conn.Action = p.Action
	r.Out.Status = int(StatusOK)
	r.Out.ContentLength = int64(len(p.Head)) + p.To - p.From
	r.Out.LastModified = f.MTime
	r.SetETag()
	r.SetContentType()
	if coding != "" {
		r.Out.Add("Content-Encoding", coding)
	}
	r.AllowRanges = true
	if v := r.SendHeader(); v == Error || v > OK || r.HeaderOnly {
		return v
	}
	if p.Head == nil {
		return r.OutputFile(f.FD, p.From, p.To)
	}
	r.three = [3]Buf{
		{B: p.Head},
		{InFile: true, File: f.FD, Off: p.From, End: p.To, Last: r.IsMain(), LastInChain: true},
	}
	return r.Output(r.three[:2])
}

// OpenMedia opens the file that a request is for, which a handler of a location
// sends a part of: OK, or the handler's verdict.
func (r *Request) OpenMedia() (path string, f FileInfo, v Verdict) {
	if r.Method&(wire.GET|wire.HEAD) == 0 {
		return "", f, StatusNotAllowed
	}
	if strings.HasSuffix(r.URI, "/") {
		return "", f, Declined
	}
	if v := r.DiscardBody(); v != OK {
		return "", f, v
	}
	path, ok := r.MapPath()
	if !ok {
		return "", f, StatusInternalServerError
	}
	f, err := r.OpenFile(path, FileOptions{})
	if err != nil {
		return "", f, r.FileFailed(path, err)
	}
	if !f.IsFile {
		return "", f, Declined
	}
	return path, f, OK
}

// FolderFailed logs why a folder cannot be read, call being what failed, and
// returns the status for it.
func (r *Request) FolderFailed(call, path string, err error) Verdict {
	level, v := log.Crit, StatusInternalServerError
	var errno unix.Errno
	errors.As(err, &errno)
	switch errno {
	case unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG:
		level, v = log.Error, StatusNotFound
	case unix.EACCES:
		level, v = log.Error, StatusForbidden
	}
	r.Logf(level, errno, `%s "%s" failed`, call, path)
	return v
}

// OpenFolder opens a folder for reading: OK, or the status for a failure, which
// is logged.
func (r *Request) OpenFolder(path string) (*os.File, Verdict) {
	dir, err := os.Open(path + "/")
	if err != nil {
		return nil, r.FolderFailed("opendir()", path, err)
	}
	return dir, OK
}
