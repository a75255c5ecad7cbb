package spec

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Step is one line of the exchanges, or several lines of an expected text joined into one.
type Step struct {
	Line  int    // in the specification file
	Block int    // steps not separated by an empty line have the same number
	Conn  string // which connection: "" for the block's own, a name, or a count of parallel ones
	Verb  string
	Arg   string
}

var (
	wireLine = regexp.MustCompile(`^([a-z0-9]*)(>>>|>>|>|<)(?: (.*))?$`)
	connLine = regexp.MustCompile(`^(?:([a-z0-9]+) )?(connect|shutdown|close)(?: (.*))?$`)
	wordLine = regexp.MustCompile(`^(\$|[a-z]+)(?: (.*))?$`)
)

// parseSteps parses the exchanges; first is the number of the line before them.
func parseSteps(text string, first int) ([]Step, error) {
	var steps []Step
	block := 0
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, "\r")
		switch {
		case strings.TrimSpace(line) == "":
			block++
			continue
		case strings.HasPrefix(line, "#"):
			continue
		}
		step, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", first+i+1, err)
		}
		step.Line, step.Block = first+i+1, block
		if last := len(steps) - 1; last >= 0 && steps[last].continuedBy(step) {
			steps[last].Arg += step.Arg[1:]
			continue
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// parseStep parses one line.
func parseStep(line string) (Step, error) {
	var s Step
	if m := wireLine.FindStringSubmatch(line); m != nil {
		s = Step{Conn: m[1], Verb: m[2], Arg: m[3]}
	} else if m := connLine.FindStringSubmatch(line); m != nil {
		s = Step{Conn: m[1], Verb: m[2], Arg: m[3]}
	} else if m := wordLine.FindStringSubmatch(line); m != nil {
		s = Step{Verb: m[1], Arg: m[2]}
	}
	if verbs[s.Verb] == nil {
		return s, fmt.Errorf("not a step: %q", line)
	}
	if s.Arg == "|" || strings.HasPrefix(s.Arg, "| ") {
		s.Arg = "|" + strings.TrimPrefix(s.Arg[1:], " ") + "\n"
	}
	return s, nil
}

// continuedBy tells whether next is a further line of the expected text that s begins.
func (s Step) continuedBy(next Step) bool {
	return strings.HasPrefix(s.Arg, "|") && strings.HasPrefix(next.Arg, "|") &&
		s.Block == next.Block && s.Verb == next.Verb && s.Conn == next.Conn
}

// match checks a text against an expectation: |lines, "quoted text", ~ regexp or !~ regexp.
func match(expect, text string) error {
	switch {
	case strings.HasPrefix(expect, "|"):
		if want := expect[1:]; text != want {
			return fmt.Errorf("is not as expected\n got: %s\nwant: %s", quote(text), quote(want))
		}
	case strings.HasPrefix(expect, `"`):
		want, err := strconv.Unquote(expect)
		if err != nil {
			return fmt.Errorf("bad expectation %s: %w", expect, err)
		}
		if text != want {
			return fmt.Errorf("is not as expected\n got: %s\nwant: %s", quote(text), quote(want))
		}
	case strings.HasPrefix(expect, "~ "), strings.HasPrefix(expect, "!~ "):
		negated := expect[0] == '!'
		pattern := strings.TrimPrefix(strings.TrimPrefix(expect, "!"), "~ ")
		re, err := regexp.Compile(pattern)
		if err != nil {
			return fmt.Errorf("bad expectation: %w", err)
		}
		if re.MatchString(text) == negated {
			return fmt.Errorf("expected %s\n got: %s", expect, quote(text))
		}
	default:
		return fmt.Errorf("bad expectation %q", expect)
	}
	return nil
}

// quote shows a text in a failure, its middle left out when it is long.
func quote(text string) string {
	const most = 2000
	if len(text) > most {
		text = text[:most/2] + fmt.Sprintf(" … (%d bytes) … ", len(text)) + text[len(text)-most/2:]
	}
	return strconv.Quote(text)
}
