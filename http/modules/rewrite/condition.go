package rewrite

import (
	"strings"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/log"
	"moongate/core/regex"
	"moongate/http"
)

// condition is what an "if" tests. A test may end the script.
type condition interface {
	test(r *http.Request, st state) (bool, state)
}

// parseCondition reads the arguments of "if", which it may change: nginx's
// ngx_http_rewrite_if_condition.
func parseCondition(cf *conf.Conf, args []string) (condition, error) {
	if !strings.HasPrefix(args[0], "(") {
		return nil, cf.Errorf(`invalid condition "%s"`, args[0])
	}
	first, last := 0, len(args)-1
	if args[0] == "(" {
		first = 1
	} else {
		args[0] = args[0][1:]
	}
	switch {
	case !strings.HasSuffix(args[last], ")"):
		return nil, cf.Errorf(`invalid condition "%s"`, args[last])
	case args[last] == ")":
		last--
	default:
		args[last] = strings.TrimSuffix(args[last], ")")
	}
	word := args[first]
	switch {
	case len(word) > 1 && word[0] == '$' && (first == last || first+2 == last):
		return parseVariable(cf, word[1:], args[first+1:last+1])
	case (len(word) == 2 || len(word) == 3 && word[0] == '!') && word[len(word)-2] == '-' && first+1 == last:
		return parseFile(cf, word, args[last])
	}
	return nil, cf.Errorf(`invalid condition "%s"`, word)
}

// parseVariable reads a condition that begins with a variable.
func parseVariable(cf *conf.Conf, name string, rest []string) (condition, error) {
	m := http.MainOf(cf)
	v, err := m.Variable(cf, name)
	if err != nil {
		return nil, err
	}
	if len(rest) == 0 {
		return truth{v}, nil
	}
	op, negative := strings.CutPrefix(rest[0], "!")
	switch op {
	case "=":
		value, err := compile(cf, rest[1])
		return equality{v, value, negative}, err
	case "~", "~*":
		var options regex.Options
		if op == "~*" {
			options = regex.Caseless
		}
		re, err := m.CompileRegex(cf, rest[1], options)
		return match{v, re, rest[1], negative}, err
	}
	return nil, cf.Errorf(`unexpected "%s" in condition`, rest[0])
}

// parseFile reads a test of a file.
func parseFile(cf *conf.Conf, op, path string) (condition, error) {
	value, err := compile(cf, path)
	if err != nil {
		return nil, err
	}
	name, negative := strings.CutPrefix(op, "!")
	switch kind := name[1]; kind {
	case 'f', 'd', 'e', 'x':
		return file{value, kind, negative}, nil
	}
	return nil, cf.Errorf(`invalid condition "%s"`, op)
}

// truth holds for values other than "" and "0".
type truth struct{ variable *http.Variable }

func (c truth) test(r *http.Request, st state) (bool, state) {
	s := c.variable.Value(r).S
	return s != "" && s != "0", st
}

// equality is "=" and "!=".
type equality struct {
	variable *http.Variable
	value    template
	negative bool
}

func (c equality) test(r *http.Request, st state) (bool, state) {
	s := c.variable.Value(r).S
	return s == c.value.eval(r, st.quote) != c.negative, st
}

// match is "~", "~*" and their negations.
type match struct {
	variable *http.Variable
	regex    *http.Regex
	name     string
	negative bool
}

func (c match) test(r *http.Request, st state) (bool, state) {
	yes, st := st.match(r, c.regex, c.name, c.variable.Value(r).S)
	return yes != c.negative, st
}

// file is "-f", "-d", "-e", "-x" and their negations.
type file struct {
	path     template
	kind     byte
	negative bool
}

func (c file) test(r *http.Request, st state) (bool, state) {
	path := c.path.eval(r, st.quote)
	info, err := r.OpenFile(path, http.FileOptions{TestOnly: true})
	if err != nil {
		switch err.Errno {
		case 0:
			return false, st.end(http.StatusInternalServerError)
		case unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG:
		default:
			r.Logf(log.Crit, err.Errno, `%s "%s" failed`, err.Call, path)
		}
		return c.negative, st
	}
	yes := false
	switch c.kind {
	case 'f':
		yes = info.IsFile
	case 'd':
		yes = info.IsDir
	case 'e':
		yes = info.IsFile || info.IsDir
	case 'x':
		yes = info.IsExec
	}
	return yes != c.negative, st
}
