package parser

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// Source gives access to files. The master's is Files; a worker has one that replays what the master read.
type Source interface {
	// ReadFile returns the content of a file. Its errors are *fs.PathError with Op "open" or "pread", the system call
	// that nginx names in its message.
	ReadFile(name string) ([]byte, error)
	// Glob returns the names that match a glob(3) pattern, sorted bytewise; none is not an error.
	Glob(pattern string) ([]string, error)
}

// Files is the Source that reads the file system.
type Files struct{}

// maxPiped bounds in bytes what is read from a pipe.
const maxPiped = 1 << 20

// ReadFile reads as many bytes as the file has when it is opened, as nginx does (a device is empty), and a named pipe to
// its end: certificates and passwords may come through one.
func (Files) ReadFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeNamedPipe != 0 {
		return io.ReadAll(io.LimitReader(f, maxPiped))
	}
	size := info.Size()
	content, err := io.ReadAll(io.NewSectionReader(f, 0, size))
	if err == nil && int64(len(content)) < size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, &fs.PathError{Op: "pread", Path: name, Err: err}
	}
	return content, nil
}

// Glob is glob(3) without flags.
func (Files) Glob(pattern string) ([]string, error) { return glob(pattern), nil }

// Expand returns the files that the include directive reads for a full name: those that match if it is a pattern,
// otherwise the name itself, whether it exists or not.
func Expand(src Source, name string) ([]string, error) {
	if !strings.ContainsAny(name, "*?[") {
		return []string{name}, nil
	}
	return src.Glob(name)
}

// maxOpen is how many files may include each other. nginx keeps them open and runs into the limit of descriptors, 1024
// as a rule, when a file includes itself; open files share that limit with listening sockets and logs.
const maxOpen = 1000

// Reader reads the files of one configuration and remembers them: a file included twice is read and parsed once.
type Reader struct {
	src   Source
	files map[string]*Block
	dump  []dumped // in the order they were read first
	open  int
}

type dumped struct {
	name    string
	content []byte
}

// NewReader returns a Reader of src.
func NewReader(src Source) *Reader {
	return &Reader{src: src, files: map[string]*Block{}}
}

// Open returns the tree of a file, which is shared and must not be changed, and counts the file as open until Close.
// Besides the errors of Source.ReadFile it returns EMFILE, as nginx does, when too many files are open because they
// include each other.
func (r *Reader) Open(name string) (*Block, error) {
	if r.open == maxOpen {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EMFILE}
	}
	root, read := r.files[name]
	if !read {
		content, err := r.src.ReadFile(name)
		if err != nil {
			return nil, err
		}
		root = Parse(name, content)
		r.files[name] = root
		r.dump = append(r.dump, dumped{name, content})
	}
	r.open++
	return root, nil
}

// Close ends the use of the file opened last.
func (r *Reader) Close() { r.open-- }

// Expand is the function Expand for the Reader's Source.
func (r *Reader) Expand(name string) ([]string, error) { return Expand(r.src, name) }

// Dump writes the files as nginx -T does.
func (r *Reader) Dump(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, f := range r.dump {
		fmt.Fprintf(b, "# configuration file %s:\n%s\n", f.name, f.content)
	}
	return b.Flush()
}
