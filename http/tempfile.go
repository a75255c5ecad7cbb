package http

import (
	"strings"

	"golang.org/x/sys/unix"

	"moongate/core/process"
)

// TempPath is a folder for temporary files.
type TempPath struct {
	*process.Path
	// next numbers the files of all processes.
	next func() uint64
}

// TempKeep is how long the name of a temporary file lasts.
type TempKeep int

const (
	// TempAnonymous: the file has no name once it is open, so that nothing is
	// left behind however the process ends.
	TempAnonymous TempKeep = iota
	// TempClean: until the file is closed.
	TempClean
	// TempKept: for ever.
	TempKept
)

// TempFile is an open temporary file.
type TempFile struct {
	Name string
	FD   int

	keep TempKeep
}

// Create makes a file, whose name is unique among those of all processes. The
// error is a *FileError with Name set.
func (p *TempPath) Create(keep TempKeep) (*TempFile, error) {
	return p.create(keep, func() string { return p.File(process.TempName(p.next())) })
}

// CreateBeside is Create for a file that is going to replace another one of the
// folder: its name is that file's with a number appended.
func (p *TempPath) CreateBeside(file string, keep TempKeep) (*TempFile, error) {
	file = strings.Clone(file) + "."
	return p.create(keep, func() string { return file + process.TempName(p.next()) })
}

func (p *TempPath) create(keep TempKeep, next func() string) (*TempFile, error) {
	name := next()
	for {
		fd, err := unix.Open(name, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		switch {
		case err == nil:
			if keep == TempAnonymous {
				unix.Unlink(name)
			}
			return &TempFile{Name: name, FD: fd, keep: keep}, nil
		case err == unix.EEXIST:
			name = next()
			continue
		case err == unix.EINTR:
			continue
		case err != unix.ENOENT || p.Levels[0] == 0:
			return nil, &FileError{Call: "open()", Name: name, Errno: err.(unix.Errno)}
		}
		if err := p.makeLevels(name); err != nil {
			return nil, err
		}
	}
}

// makeLevels makes the subfolders that a file is to be in.
func (p *TempPath) makeLevels(name string) error {
	pos := len(p.Name)
	for _, n := range p.Levels {
		if n == 0 {
			break
		}
		pos += n + 1
		if err := unix.Mkdir(name[:pos], 0o700); err != nil && err != unix.EEXIST {
			return &FileError{Call: "mkdir()", Name: name[:pos], Errno: err.(unix.Errno)}
		}
	}
	return nil
}

// Moved says that the file was given another name, which stays.
func (f *TempFile) Moved(name string) { f.Name, f.keep = strings.Clone(name), TempKept }

// Close closes the file, and removes its name under TempClean. A second Close
// does nothing.
func (f *TempFile) Close() {
	if f.FD < 0 {
		return
	}
	unix.Close(f.FD)
	f.FD = -1
	if f.keep == TempClean {
		unix.Unlink(f.Name)
	}
}
