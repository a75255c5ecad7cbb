package process

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"

	"moongate/parser"
)

// recorder is the parser.Source of a configuration. In the master it reads the
// disk and remembers every answer; in a worker it gives the same answers again
// from the memory that it got, so that both see the same configuration
// whatever happens to the files, and the worker needs no right to read them.
// What the recording does not have is read from the disk.
type recorder struct {
	disk   parser.Source
	files  map[string]answer
	globs  map[string]answer
	facts  map[string]answer // see Cycle.Recall
	replay bool
}

// all are the recorded answers by their kind.
func (r *recorder) all() []map[string]answer { return []map[string]answer{r.files, r.globs, r.facts} }

// answer is what a file, a pattern or a question gave.
type answer struct {
	content []byte
	names   []string
	op      string // of the failed call
	errno   syscall.Errno
	text    string // of a failure without errno
}

func newRecorder(disk parser.Source) *recorder {
	return &recorder{disk: disk, files: make(map[string]answer), globs: make(map[string]answer), facts: make(map[string]answer)}
}

func (r *recorder) replaying() bool { return r.replay }

// ReadFile implements parser.Source.
func (r *recorder) ReadFile(name string) ([]byte, error) {
	if a, ok := r.files[name]; ok {
		return a.content, a.failure(name)
	}
	content, err := r.disk.ReadFile(name)
	r.files[name] = newAnswer(content, nil, err)
	return content, err
}

// Glob implements parser.Source.
func (r *recorder) Glob(pattern string) ([]string, error) {
	if a, ok := r.globs[pattern]; ok {
		return a.names, a.failure(pattern)
	}
	names, err := r.disk.Glob(pattern)
	r.globs[pattern] = newAnswer(nil, names, err)
	return names, err
}

func newAnswer(content []byte, names []string, err error) answer {
	a := answer{content: content, names: names}
	if err == nil {
		return a
	}
	a.op = "open"
	var failed *fs.PathError
	if errors.As(err, &failed) {
		a.op = failed.Op
	}
	if !errors.As(err, &a.errno) {
		a.text = err.Error()
	}
	return a
}

// failure is the error of the answer about a file, nil for success.
func (a *answer) failure(name string) error {
	if a.op == "" {
		return nil
	}
	return &fs.PathError{Op: a.op, Path: name, Err: a.cause()}
}

// cause is the error without the name of the file, nil for success.
func (a *answer) cause() error {
	switch {
	case a.op == "":
		return nil
	case a.errno != 0:
		return a.errno
	}
	return errors.New(a.text)
}

// Recall answers a question about the world outside the files, such as the
// addresses of a host, that is asked while the configuration is read; later it
// simply calls f. The master finds the answer out with f and its workers are
// given the same one, so that all processes work with one configuration. The
// question must name its kind: "addresses of example.com".
func (c *Cycle) Recall(question string, f func() ([]string, error)) ([]string, error) {
	if c.source == nil {
		return f()
	}
	if a, ok := c.source.facts[question]; ok {
		return a.names, a.cause()
	}
	names, err := f()
	c.source.facts[question] = newAnswer(nil, names, err)
	return names, err
}

// encode writes the recording: for each kind the number of answers and the
// answers, every string after its length.
func (r *recorder) encode() []byte {
	size := 0
	for name, a := range r.files {
		size += len(name) + len(a.content) + 32
	}
	b := make([]byte, 0, size+64)
	for _, answers := range r.all() {
		b = binary.AppendUvarint(b, uint64(len(answers)))
		for name, a := range answers {
			b = appendString(b, name)
			b = appendString(b, a.op)
			b = binary.AppendUvarint(b, uint64(a.errno))
			b = appendString(b, a.text)
			b = binary.AppendUvarint(b, uint64(len(a.names)))
			for _, n := range a.names {
				b = appendString(b, n)
			}
			b = appendString(b, string(a.content))
		}
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// errSnapshot is the error of a recording that is cut or not one.
var errSnapshot = errors.New("process: broken snapshot of the configuration")

// decodeRecorder reads what encode wrote. Contents stay where they are in b.
func decodeRecorder(b []byte, disk parser.Source) (*recorder, error) {
	r := newRecorder(disk)
	r.replay = true
	d := decoder{b: b}
	for _, answers := range r.all() {
		for range d.count() {
			name := string(d.bytes())
			a := answer{op: string(d.bytes()), errno: syscall.Errno(d.uint()), text: string(d.bytes())}
			for range d.count() {
				a.names = append(a.names, string(d.bytes()))
			}
			a.content = d.bytes()
			answers[name] = a
		}
	}
	if d.failed || len(d.b) != 0 {
		return nil, errSnapshot
	}
	return r, nil
}

// decoder reads numbers and strings until something does not fit, after which
// it yields zeroes.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.failed, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count is the number of elements to come, each of which takes some bytes.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.failed, d.b = true, nil
		return 0
	}
	return int(n)
}

func (d *decoder) bytes() []byte {
	n := d.count()
	s := d.b[:n:n]
	d.b = d.b[n:]
	return s
}

// memoryFile puts bytes into a new memory file that nobody can change.
func memoryFile(name string, content []byte) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, err
	}
	for rest := content; len(rest) > 0; {
		n, err := unix.Write(fd, rest)
		if err != nil && err != unix.EINTR {
			unix.Close(fd)
			return -1, err
		}
		rest = rest[max(n, 0):]
	}
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// mapFile maps a memory file for the life of the process.
func mapFile(fd int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Size == 0 {
		return nil, nil
	}
	return unix.Mmap(fd, 0, int(st.Size), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_POPULATE)
}
