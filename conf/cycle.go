package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"moongate/parser"
)

// LogLevel is the severity of a message about the configuration.
type LogLevel int

// Severities, numbered as in nginx's ngx_log.h.
const (
	LogStderr LogLevel = iota
	LogEmerg
	LogAlert
	LogCrit
	LogError
	LogWarn
	LogNotice
	LogInfo
	LogDebug
)

// Cycle is one configuration in the making and, later, in use: nginx's
// ngx_cycle_t without what the engine adds in slots of the Core family.
type Cycle struct {
	Registry *Registry
	// Source is where files come from: the disk in the master, the master's
	// recording of it in a worker.
	Source parser.Source
	// Prefix is the server's prefix and ConfPrefix the folder of the
	// configuration file; both end with a slash.
	Prefix, ConfPrefix string
	// File is the full name of the configuration file.
	File string
	// Test: the configuration is only checked (-t); nothing outside may change.
	Test bool
	// Worker: this process is a worker that repeats what the master read.
	Worker bool
	// Log takes messages about the configuration.
	Log func(level LogLevel, msg string)
	// Scope holds the Core family's structs.
	Scope *Scope
	// Engine is what the processes keep beside the configuration: a
	// *process.Cycle.
	Engine any

	reader *parser.Reader
	opened bool // some block was entered: see BlockSeen

	inherited map[inheritance]any // while the configuration is read
}

// Load reads param (the text of -g) and the configuration file, and evaluates
// them. The error is complete for printing at emerg level.
func (c *Cycle) Load(param string) error {
	c.reader = parser.NewReader(c.Source)
	c.Scope = c.Registry.NewScope(Core, nil, LevelMain)
	defer func() { c.inherited = nil }()
	cf := &Conf{Cycle: c, Scope: c.Scope, In: Main}
	if param != "" {
		if err := cf.eval(parser.ParseParam(param)); err != nil {
			return err
		}
	}
	b, err := c.reader.Open(c.File)
	if err != nil {
		return &Error{Msg: fileError(c.File, err)}
	}
	if err := cf.eval(b); err != nil {
		return err
	}
	c.reader.Close()
	if !c.Test {
		c.reader = nil // only a dump needs the trees from here on
	}
	return nil
}

// BlockSeen reports whether a block was entered, after which no module may be
// loaded any more.
func (c *Cycle) BlockSeen() bool { return c.opened }

// Dump writes the files that were read, as -T does.
func (c *Cycle) Dump(w io.Writer) error { return c.reader.Dump(w) }

// fileError says that a file of the configuration could not be read.
func fileError(name string, err error) string {
	op := "open"
	var failed *fs.PathError
	if errors.As(err, &failed) {
		op = failed.Op
	}
	return fmt.Sprintf(`%s() "%s" failed (%s)`, op, name, ErrnoText(err))
}

// ReadFile reads a file that a directive names, relative to the folder of the
// configuration file. It is the way to read certificates, password files read
// at load time and the like: what the master reads here as root, its workers
// get without reading it again.
func (c *Cycle) ReadFile(name string) ([]byte, error) { return c.Source.ReadFile(c.ConfPath(name)) }

// ConfPath makes name absolute against the folder of the configuration file.
func (c *Cycle) ConfPath(name string) string { return join(c.ConfPrefix, name) }

// Path makes name absolute against the prefix.
func (c *Cycle) Path(name string) string { return join(c.Prefix, name) }

func join(prefix, name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return prefix + name
}

// Dir returns the folder part of a path with its slash.
func Dir(path string) string {
	d, _ := filepath.Split(path)
	return d
}

// ErrnoText prints a system error as nginx does: "2: No such file or directory".
func ErrnoText(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		text := errno.Error()
		if text != "" {
			text = strings.ToUpper(text[:1]) + text[1:]
		}
		return fmt.Sprintf("%d: %s", int(errno), text)
	}
	return err.Error()
}
