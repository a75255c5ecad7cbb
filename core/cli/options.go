package cli

import (
	"os"
	"strings"

	"moongate/core/log"
)

// flags are what the command line says, before defaults (ngx_get_options).
type flags struct {
	help, version, configure bool
	test, dump, quiet        bool
	prefix, conf             string
	hasPrefix, hasConf       bool
	errorLog                 string
	hasErrorLog              bool
	param, signal            string
}

// usageError is a complaint about the command line.
type usageError string

func (e usageError) Error() string { return string(e) }

// parse reads the arguments behind the program's name. Options may stand
// together behind one dash; a value is the rest of its word or the next one.
func parse(args []string) (*flags, error) {
	f := new(flags)
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		if !strings.HasPrefix(word, "-") {
			return nil, usageError(`invalid option: "` + word + `"`)
		}
		for rest := word[1:]; rest != ""; {
			option := rest[0]
			rest = rest[1:]
			if f.toggle(option) {
				continue
			}
			needs, ok := valueNames[option]
			if !ok {
				return nil, usageError(`invalid option: "` + string(option) + `"`)
			}
			if rest == "" {
				if len(args) == 0 {
					return nil, usageError(`option "-` + string(option) + `" requires ` + needs)
				}
				rest, args = args[0], args[1:]
			}
			if err := f.value(option, rest); err != nil {
				return nil, err
			}
			break
		}
	}
	return f, nil
}

// toggle sets an option without a value.
func (f *flags) toggle(option byte) bool {
	switch option {
	case '?', 'h':
		f.version, f.help = true, true
	case 'v':
		f.version = true
	case 'V':
		f.version, f.configure = true, true
	case 't':
		f.test = true
	case 'T':
		f.test, f.dump = true, true
	case 'q':
		f.quiet = true
	default:
		return false
	}
	return true
}

// valueNames says what an option with a value needs.
var valueNames = map[byte]string{
	'p': "directory name", 'e': "file name", 'c': "file name", 'g': "parameter", 's': "parameter",
}

func (f *flags) value(option byte, v string) error {
	switch option {
	case 'p':
		f.prefix, f.hasPrefix = v, true
	case 'c':
		f.conf, f.hasConf = v, true
	case 'g':
		f.param = v
	case 'e':
		if v == "stderr" {
			v = ""
		}
		f.errorLog, f.hasErrorLog = v, true
	case 's':
		switch v {
		case "stop", "quit", "reopen", "reload":
			f.signal = v
		default:
			return usageError(`invalid option: "-s ` + v + `"`)
		}
	}
	return nil
}

// usage is the text of -h.
func usage(prefix, errorLog, conf string) string {
	return `Usage: nginx [-?hvVtTq] [-s signal] [-p prefix]
             [-e filename] [-c filename] [-g directives]

Options:
  -?,-h         : show this and exit
  -v            : show the version and exit
  -V            : show the version and what is built in, and exit
  -t            : test configuration and exit
  -T            : test configuration, print all its files and exit
  -q            : print errors only while testing
  -s signal     : send signal to a master process: stop, quit, reopen, reload
  -p prefix     : set the prefix of relative paths (default: ` + prefix + `)
  -e filename   : set the error log of the start (default: ` + errorLog + `)
  -c filename   : set the configuration file (default: ` + conf + `)
  -g directives : set directives that come before the configuration file

`
}

// complain prints a complaint about the command line.
func complain(err error) { log.Console(nil, "%s", err) }

// stderr prints text that is not a message.
func stderr(text string) { os.Stderr.WriteString(text) }
