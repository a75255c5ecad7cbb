package log

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// MaxLine is the size in bytes a log line is cut to, line feed included; OpenResty's, twice nginx's.
const MaxLine = 4096

// keptLine bounds the buffers kept for reuse: a message is formatted whole
// before it is cut.
const keptLine = 16 << 10

// errnoRoom is what a cut message leaves at the end of the line, so that the
// errno, the most telling part, still fits.
const errnoRoom = 50

// Env is what all loggers of a process share.
type Env struct {
	// Clock gives the time of each line.
	Clock Clock

	// Hostname is the sender in syslog messages.
	Hostname string

	// Intercept, if set, is given every line that is about to be written,
	// without the line feed; the slice is valid only during the call. What it
	// logs itself is not intercepted (lua_capture_error_log).
	Intercept func(level Level, line []byte)

	// Console makes messages of level Warn and worse go to standard error
	// too, as "nginx: [emerg] …", while no output of the logger is standard
	// error: on until the server has started (ngx_use_stderr).
	Console bool

	intercepting atomic.Bool
	pid          string
}

// NewEnv returns the environment of this process, with the console on.
func NewEnv() *Env {
	hostname, _ := os.Hostname()
	pid := strconv.Itoa(os.Getpid())
	return &Env{
		Hostname: hostname,
		Console:  true,
		pid:      pid + "#" + pid + ": ",
	}
}

// Context appends to a line what is known about its connection or request:
// " while reading client request headers, client: 127.0.0.1, server: …".
type Context interface {
	AppendLog(b []byte) []byte
}

// Logger is a chain of outputs in the order of falling level. It is
// immutable; a nil Logger takes nothing.
type Logger struct {
	env   *Env
	level Level
	outs  []*Output
}

// New returns a logger over the outputs, given in the order of the
// configuration.
func New(env *Env, outs ...*Output) *Logger {
	l := &Logger{env: env, outs: slices.Clone(outs)}
	slices.SortStableFunc(l.outs, func(a, b *Output) int {
		switch {
		case a.level > b.level:
			return -1
		case a.level < b.level:
			return 1
		}
		return 0
	})
	if len(l.outs) > 0 {
		l.level = l.outs[0].level
	}
	return l
}

// Level is the greatest level of the outputs.
func (l *Logger) Level() Level {
	if l == nil {
		return 0
	}
	return l.level
}

// Env is the environment the logger was made for.
func (l *Logger) Env() *Env { return l.env }

// Enabled reports whether any output takes messages of that level.
func (l *Logger) Enabled(level Level) bool { return l != nil && l.level.Enabled(level) }

// File is the first output of the chain that is a file or standard error, nil
// if there is none.
func (l *Logger) File() *File {
	for _, out := range l.outs {
		if out.file != nil {
			return out.file
		}
	}
	return nil
}

// RedirectStderr makes standard error a duplicate of the logger's file, so
// that what the runtime prints on a crash is found in the log.
func (l *Logger) RedirectStderr() error {
	f := l.File()
	if f == nil || f.FD() == stderrFD {
		return nil
	}
	return unix.Dup3(f.FD(), stderrFD, 0)
}

// Log writes one line that belongs to no connection.
func (l *Logger) Log(level Level, err error, format string, args ...any) {
	if l.Enabled(level) {
		l.write(&Entry{log: l}, level, err, format, args)
	}
}

// With returns an entry for the connection of that number (0: none); ctx may
// be nil.
func (l *Logger) With(ctx Context, connection uint64) Entry {
	return Entry{log: l, ctx: ctx, connection: connection, level: l.Level()}
}

// Entry is a logger for one connection or request. It is small, immutable and
// passed by value; the zero Entry takes nothing.
type Entry struct {
	log        *Logger
	ctx        Context
	connection uint64
	level      Level
}

// WithLogger returns the entry writing to another logger, for the error_log
// of a location; a connection under debug_connection stays so.
func (e Entry) WithLogger(l *Logger) Entry {
	e.log = l
	if e.level&DebugConnection == 0 {
		e.level = l.Level()
	}
	return e
}

// WithContext returns the entry with another context.
func (e Entry) WithContext(ctx Context) Entry {
	e.ctx = ctx
	return e
}

// WithDebug returns the entry of a connection chosen by debug_connection: it
// takes everything, and writes it to every output whatever its level.
func (e Entry) WithDebug() Entry {
	e.level = DebugConnection | DebugAll
	return e
}

// Logger is the logger the entry writes to.
func (e Entry) Logger() *Logger { return e.log }

// Level is what the entry takes.
func (e Entry) Level() Level { return e.level }

// Connection is the number of the connection, 0 for none.
func (e Entry) Connection() uint64 { return e.connection }

// Enabled reports whether messages of that level are taken: one comparison,
// to be asked before arguments are prepared on a busy path.
func (e Entry) Enabled(level Level) bool { return e.level.Enabled(level) }

// Log writes one line: the message, the errno of err if it has one, and what
// the context appends. A level above Debug is a debug category.
func (e Entry) Log(level Level, err error, format string, args ...any) {
	if e.Enabled(level) && e.log != nil {
		e.log.write(&e, level, err, format, args)
	}
}

// Capture gives a line to Env.Intercept that another process has written.
func (e Entry) Capture(level Level, format string, args ...any) {
	if e.Enabled(level) && e.log != nil {
		level = min(level, Debug)
		line, _ := e.log.format(nil, &e, level, nil, format, args)
		e.log.intercept(level, line)
	}
}

var lines = sync.Pool{New: func() any {
	b := make([]byte, 0, MaxLine)
	return &b
}}

// write formats the line and gives it to the outputs.
func (l *Logger) write(e *Entry, level Level, err error, format string, args []any) {
	level = min(level, Debug)
	buf := lines.Get().(*[]byte)
	line, msg := l.format((*buf)[:0], e, level, err, format, args)
	l.intercept(level, line)
	line = append(line, '\n')

	wroteStderr := false
	for _, out := range l.outs {
		if out.level < level && e.level&DebugConnection == 0 {
			break
		}
		out.write(l.env, level, line)
		wroteStderr = wroteStderr || out.stderr()
	}
	if l.env.Console && level <= Warn && !wroteStderr {
		writeConsole(level, line[msg:])
	}

	if cap(line) <= keptLine {
		*buf = line
		lines.Put(buf)
	}
}

// format returns the line without its line feed and where the message starts
// in it.
func (l *Logger) format(b []byte, e *Entry, level Level, err error, format string, args []any) (line []byte, msg int) {
	b = append(b, l.env.Clock.Times().Error...)
	b = append(b, " ["...)
	b = append(b, level.String()...)
	b = append(b, "] "...)
	b = append(b, l.env.pid...)
	if e.connection != 0 {
		b = append(b, '*')
		b = strconv.AppendUint(b, e.connection, 10)
		b = append(b, ' ')
	}
	msg = len(b)
	b = appendMessage(b, format, args)
	if err != nil {
		if len(b) > MaxLine-errnoRoom {
			b = append(b[:MaxLine-errnoRoom], "..."...)
		}
		b = AppendError(b, err)
	}
	if level != Debug && e.ctx != nil {
		b = e.ctx.AppendLog(b)
	}
	return b[:min(len(b), MaxLine-1)], msg
}

// appendMessage formats; a message without arguments is taken literally, and
// costs no scan.
func appendMessage(b []byte, format string, args []any) []byte {
	if len(args) == 0 {
		return append(b, format...)
	}
	return fmt.Appendf(b, format, args...)
}

func (l *Logger) intercept(level Level, line []byte) {
	if l.env.Intercept == nil || !l.env.intercepting.CompareAndSwap(false, true) {
		return
	}
	defer l.env.intercepting.Store(false)
	l.env.Intercept(level, line)
}

func writeConsole(level Level, msg []byte) {
	b := make([]byte, 0, MaxLine)
	b = append(b, "nginx: ["...)
	b = append(b, level.String()...)
	b = append(b, "] "...)
	b = append(b, msg...)
	unix.Write(stderrFD, b)
}

// Console writes "nginx: message" to standard error, without date or level:
// for what happens before there is a log (ngx_log_stderr).
func Console(err error, format string, args ...any) {
	b := append(make([]byte, 0, MaxLine), "nginx: "...)
	b = AppendError(appendMessage(b, format, args), err)
	b = append(b[:min(len(b), MaxLine-1)], '\n')
	unix.Write(stderrFD, b)
}

// Bootstrap returns the logger of the time before the configuration is read
// (ngx_log_init): notices and worse to the file of that full path, to standard
// error when the path is empty or the file cannot be opened.
func Bootstrap(env *Env, path string) *Logger {
	f := &File{Name: path}
	f.SetFD(stderrFD)
	if path != "" {
		fd, err := openFile(path)
		if err != nil {
			Console(err, "[alert] could not open error log file: open() \"%s\" failed", path)
		} else {
			f.SetFD(fd)
		}
	}
	return New(env, NewFileOutput(f, Notice))
}
