package log

import "fmt"

// Level is the severity of a message, and the threshold or debug mask of an
// output. The values up to Debug order severities; the greater ones are bits
// that select categories of debug messages. Every mask is greater than
// Debug, so an output with a mask also takes all ordinary messages.
type Level uint32

// Severities, from the most severe. Stderr messages go to every output.
const (
	Stderr Level = iota
	Emerg
	Alert
	Crit
	Error
	Warn
	Notice
	Info
	Debug
)

// Debug categories, and the two combinations nginx uses: all categories, and
// the mark of a connection chosen by debug_connection.
const (
	DebugCore Level = 0x10 << iota
	DebugAlloc
	DebugMutex
	DebugEvent
	DebugHTTP
	DebugMail
	DebugStream

	DebugAll        Level = 0x7ffffff0
	DebugConnection Level = 0x80000000
)

var levelNames = [...]string{"", "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"}

var debugNames = [...]string{
	"debug_core", "debug_alloc", "debug_mutex", "debug_event",
	"debug_http", "debug_mail", "debug_stream",
}

// String is the name of the severity as a log line shows it: empty for
// Stderr, "debug" for every debug category.
func (l Level) String() string {
	if l > Debug {
		l = Debug
	}
	return levelNames[l]
}

// Enabled reports whether an output with this level takes messages of the
// severity or debug category msg.
func (l Level) Enabled(msg Level) bool {
	if msg > Debug {
		return l&msg != 0
	}
	return l >= msg
}

// ParseLevels reads the level parameters of an error_log directive: one
// severity, or any number of debug categories; none means Error. Errors are
// in nginx's words, without the position.
func ParseLevels(names []string) (Level, error) {
	if len(names) == 0 {
		return Error, nil
	}
	var level Level
	for _, name := range names {
		one, ok := levelByName(name)
		switch {
		case !ok:
			return 0, fmt.Errorf("invalid log level \"%s\"", name)
		case one <= Debug && level != 0:
			return 0, fmt.Errorf("duplicate log level \"%s\"", name)
		case one > Debug && level&^DebugAll != 0:
			return 0, fmt.Errorf("invalid log level \"%s\"", name)
		}
		level |= one
	}
	if level == Debug {
		level = DebugAll
	}
	return level, nil
}

func levelByName(name string) (Level, bool) {
	for i, known := range levelNames[Emerg:] {
		if name == known {
			return Emerg + Level(i), true
		}
	}
	for i, known := range debugNames {
		if name == known {
			return DebugCore << i, true
		}
	}
	return 0, false
}
