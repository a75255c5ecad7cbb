package cli

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	defaults "moongate/conf/default"
	"moongate/parser"
)

// source reads the configuration from the disk and, where there is none at the
// default path, from what is built into the binary.
type source struct {
	parser.Files
	builtin   bool   // the command line names no configuration
	file, dir string // the default path and its folder
}

// missing reports whether there is no configuration at the default path.
func (s *source) missing() bool {
	_, err := os.Stat(s.file)
	return errors.Is(err, fs.ErrNotExist)
}

// ReadFile implements parser.Source. A file of the administrator's own goes
// before the built-in one of that name.
func (s *source) ReadFile(name string) ([]byte, error) {
	b, err := s.Files.ReadFile(name)
	if err == nil || !s.builtin || !errors.Is(err, fs.ErrNotExist) || !s.missing() {
		return b, err
	}
	inside, ok := strings.CutPrefix(name, s.dir)
	if name == s.file {
		inside = "nginx.conf"
	} else if !ok {
		return nil, err
	}
	text, ferr := defaults.Files.ReadFile(inside)
	if ferr != nil {
		return nil, err
	}
	return text, nil
}
