package http

import (
	"golang.org/x/sys/unix"

	"moongate/core/process"
)

// TempPath is a folder for temporary files.
type TempPath struct {
	*process.Path
	// next numbers the files of all processes.
	next func() uint64
}

// TempFile is an open temporary file.
type TempFile struct {
	Name string
	FD   int

	remove bool
}

// Create makes a file. With clean its name is removed when it is closed. The
// error is a *FileError with Name set.
func (p *TempPath) Create(clean bool) (*TempFile, error) {
	name := p.File(process.TempName(p.next()))
	for {
		fd, err := unix.Open(name, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		switch {
		case err == nil:
			return &TempFile{Name: name, FD: fd, remove: clean}, nil
		case err == unix.EEXIST:
			name = p.File(process.TempName(p.next()))
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

// Close closes the file, and removes it if that was asked for. A second Close
// does nothing.
func (f *TempFile) Close() {
	if f.FD < 0 {
		return
	}
	unix.Close(f.FD)
	f.FD = -1
	if f.remove {
		unix.Unlink(f.Name)
	}
}
