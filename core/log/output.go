package log

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Output is one error_log: where lines go, and from which level on.
type Output struct {
	level Level

	// Exactly one of these is set.
	file   *File
	syslog *Syslog
	memory *Memory

	// diskFull is the second in which the disk was found full; nothing more
	// is written to the file in that second.
	diskFull atomic.Int64
}

// NewFileOutput returns an output to a file.
func NewFileOutput(f *File, level Level) *Output { return &Output{file: f, level: level} }

// NewSyslogOutput returns an output to a syslog server; each message gets its
// severity from the level of the line.
func NewSyslogOutput(s *Syslog, level Level) *Output { return &Output{syslog: s, level: level} }

// NewMemoryOutput returns an output to a ring buffer.
func NewMemoryOutput(m *Memory, level Level) *Output { return &Output{memory: m, level: level} }

// Level is the threshold or debug mask of the output.
func (o *Output) Level() Level { return o.level }

// File is the file the output writes to, nil for syslog and memory.
func (o *Output) File() *File { return o.file }

// Memory is the ring buffer the output writes to, nil for the other kinds.
func (o *Output) Memory() *Memory { return o.memory }

// Close closes the socket of an output to syslog, which a later message opens
// again. Files are closed by [Files.Close].
func (o *Output) Close() {
	if o.syslog != nil {
		o.syslog.Close()
	}
}

func (o *Output) stderr() bool { return o.file != nil && o.file.FD() == stderrFD }

func (o *Output) write(env *Env, level Level, line []byte) {
	switch {
	case o.file != nil:
		o.writeFile(env, line)
	case o.syslog != nil:
		o.syslog.logLine(level, line[:len(line)-1])
	case o.memory != nil:
		o.memory.Write(line)
	}
}

func (o *Output) writeFile(env *Env, line []byte) {
	full := o.diskFull.Load()
	if full != 0 && full == env.Clock.Times().Unix {
		return
	}
	if _, err := unix.Write(o.file.FD(), line); err == unix.ENOSPC {
		o.diskFull.Store(env.Clock.Times().Unix)
	}
}

// Directive is one error_log directive and what is needed to read it.
type Directive struct {
	// Value is the first argument, of which "stderr" and "" are the standard error;
	// Levels are the others.
	Value  string
	Levels []string

	// Position is "file:line" of the directive; it marks a memory buffer.
	Position string

	// Path makes a configured file name a full path.
	Path func(name string) string

	// Size parses "32k".
	Size func(text string) (int64, error)

	Files *Files
	Env   *Env

	// Report is the logger a syslog server's own failures go to, asked when
	// they happen; it may be nil.
	Report func() *Logger
}

var errBufferSize = errors.New("invalid buffer size")

// Output parses the directive. Errors are in nginx's words, without the
// position.
func (d *Directive) Output() (*Output, error) {
	out, err := d.target()
	if err != nil {
		return nil, err
	}
	out.level, err = ParseLevels(d.Levels)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (d *Directive) target() (*Output, error) {
	if d.Value == "stderr" || d.Value == "" {
		return &Output{file: d.Files.Add("")}, nil
	}
	if size, ok := strings.CutPrefix(d.Value, "memory:"); ok {
		n, err := d.Size(size)
		if err != nil {
			return nil, fmt.Errorf("%w \"%s\"", errBufferSize, size)
		}
		m, err := NewMemory(n, d.Position)
		if err != nil {
			return nil, fmt.Errorf("%w \"%s\"", err, size)
		}
		return &Output{memory: m}, nil
	}
	if strings.HasPrefix(d.Value, "syslog:") {
		s, err := ParseSyslog(d.Value, d.Env)
		if err != nil {
			return nil, err
		}
		s.Report = d.Report
		return &Output{syslog: s}, nil
	}
	return &Output{file: d.Files.Add(d.Path(d.Value))}, nil
}
