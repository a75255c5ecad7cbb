package spec

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// verbs are the steps of a specification by their word; README.md describes each.
var verbs = map[string]func(*run, Step) error{
	">":        (*run).sendRequest,
	">>":       func(r *run, s Step) error { return r.sendRaw(s, "\r\n") },
	">>>":      func(r *run, s Step) error { return r.sendRaw(s, "") },
	"<":        (*run).expect,
	"connect":  func(r *run, s Step) error { return r.connect(s, s.Arg) },
	"shutdown": (*run).shutdown,
	"close":    (*run).closeConn,
	"$":        (*run).command,
	"sh":       (*run).shell,
	"exit":     (*run).expectExit,
	"out":      func(r *run, s Step) error { return wrap("the output", match(s.Arg, r.output)) },
	"log":      (*run).expectLog,
	"access":   func(r *run, s Step) error { return r.expectFile("logs/access.log", s.Arg) },
	"file": func(r *run, s Step) error {
		name, expect, _ := strings.Cut(s.Arg, " ")
		return r.expectFile(name, expect)
	},
	"server": (*run).expectServer,
	"signal": (*run).signal,
	"reload": (*run).reload,
	"reopen": (*run).reopen,
	"cp":     (*run).copyFile,
	"mv":     (*run).move,
	"rm":     func(r *run, s Step) error { return os.RemoveAll(r.path(s.Arg)) },
	"write":  (*run).writeFile,
	"touch":  (*run).touch,
	"chmod":  (*run).chmod,
	"symlink": func(r *run, s Step) error {
		name, to, _ := strings.Cut(s.Arg, " ")
		return os.Symlink(to, r.path(name))
	},
}

// connect opens the connections of a step; a name that is a number opens so many.
func (r *run) connect(s Step, address string) error {
	count, err := strconv.Atoi(s.Conn)
	if err != nil {
		count = 1
	}
	var group []*conn
	for range count {
		c, err := dial(r.expand(address))
		if err != nil {
			return final{err}
		}
		group = append(group, c)
		r.conns[s.Conn] = group
	}
	return nil
}

func (r *run) sendRequest(s Step) error {
	text, method, err := request(s.Arg)
	if err != nil {
		return final{err}
	}
	return r.each(s, func(c *conn) error {
		c.methods = append(c.methods, method)
		return c.send(text)
	})
}

// sendRaw sends the bytes of a line, its escapes resolved as in a Go string, and an end.
func (r *run) sendRaw(s Step, end string) error {
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(s.Arg, `"`, `\"`) + `"`)
	if err != nil {
		return final{fmt.Errorf("bad escape: %w", err)}
	}
	return r.each(s, func(c *conn) error {
		if method, _, ok := strings.Cut(text, " "); ok && strings.Contains(text, " HTTP/1.") {
			c.methods = append(c.methods, method)
		}
		return c.send(text + end)
	})
}

// each does something with every connection of a step; an error ends the specification.
func (r *run) each(s Step, do func(*conn) error) error {
	if err := r.all(s, do); err != nil {
		return final{err}
	}
	return nil
}

// expect reads the next response when the line begins with a status, and checks the last one otherwise.
func (r *run) expect(s Step) error {
	return r.all(s, func(c *conn) error {
		word, arg, _ := strings.Cut(s.Arg, " ")
		switch {
		case len(word) == 3 && word[0] >= '1' && word[0] <= '9':
			return c.expectStatus(s.Arg)
		case word == "closed":
			return c.expectClosed()
		case word == "raw":
			text, err := c.rest()
			if err != nil {
				return final{err}
			}
			return wrap("what came", match(arg, text))
		case c.last == nil:
			return final{fmt.Errorf("no response was read before")}
		}
		return c.last.check(s.Arg)
	})
}

// all checks something on every connection of a step and stops at the first that fails.
func (r *run) all(s Step, check func(*conn) error) error {
	group, err := r.group(s)
	if err != nil {
		return final{err}
	}
	for _, c := range group {
		if err := check(c); err != nil {
			return err
		}
	}
	return nil
}

// expectStatus reads the next response, which has to have the status, and the reason when one is given.
func (c *conn) expectStatus(want string) error {
	response, err := c.readResponse()
	if err != nil {
		return final{err}
	}
	got := response.status
	if len(want) == 3 {
		got = got[:3]
	}
	if got != want {
		return fmt.Errorf("the status is %q, expected %q; header %q; body %s", response.status, want, response.fields, quote(response.body))
	}
	return nil
}

// expectClosed expects the end of the connection and nothing before it.
func (c *conn) expectClosed() error {
	text, err := c.rest()
	if err != nil {
		return final{fmt.Errorf("the connection is not closed: %w", err)}
	}
	if text != "" {
		return fmt.Errorf("before the end of the connection came %s", quote(text))
	}
	return nil
}

// shutdown ends the sending side of a connection.
func (r *run) shutdown(s Step) error {
	return r.each(s, func(c *conn) error {
		return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	})
}

// closeConn closes a connection, with a reset for "close reset".
func (r *run) closeConn(s Step) error {
	defer delete(r.conns, s.Conn)
	return r.each(s, func(c *conn) error {
		if tcp, ok := c.Conn.(*net.TCPConn); ok && s.Arg == "reset" {
			tcp.SetLinger(0)
		}
		return c.Close()
	})
}

// command runs the binary with arguments and keeps its output and exit status.
func (r *run) command(s Step) error {
	args, err := splitWords(s.Arg)
	if err != nil {
		return final{err}
	}
	conf := "conf/nginx.conf"
	for i, arg := range args {
		if arg == "-c" && i+1 < len(args) {
			conf = args[i+1]
		}
	}
	text, _ := os.ReadFile(r.path(conf))
	if len(args) > 0 && !slices.Contains(args, "-c") && r.spec.Starts() {
		args = append(args, "-c", conf)
	}
	cmd := r.target.command(r.prefix, "logs/command.log", r.target.globals(r.spec, string(text)), args...)
	out, err := cmd.CombinedOutput()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		return final{err}
	}
	r.output, r.exit = string(out), cmd.ProcessState.ExitCode()
	return nil
}

// shell runs a command line in the prefix, with a limit in time, and keeps its output and exit status.
func (r *run) shell(s Step) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", s.Arg)
	cmd.Dir = r.prefix
	out, err := cmd.CombinedOutput()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		return final{err}
	}
	r.output, r.exit = string(out), cmd.ProcessState.ExitCode()
	return nil
}

// splitWords splits a command line at spaces, with '…' around what belongs together.
func splitWords(line string) ([]string, error) {
	var words []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if line[0] != '\'' {
			word, rest, _ := strings.Cut(line, " ")
			words, line = append(words, word), rest
			continue
		}
		word, rest, ok := strings.Cut(line[1:], "'")
		if !ok {
			return nil, fmt.Errorf("no closing quote in %q", line)
		}
		words, line = append(words, word), rest
	}
	return words, nil
}

func (r *run) expectExit(s Step) error {
	if want, err := strconv.Atoi(s.Arg); err != nil || r.exit != want {
		return fmt.Errorf("the exit status is %d, expected %s; the output is %s", r.exit, s.Arg, quote(r.output))
	}
	return nil
}

// expectLog waits for a matching text in the error log; "!~" and "quiet" (nothing above warn) look at once.
func (r *run) expectLog(s Step) error {
	if s.Arg == "quiet" {
		return match(`!~ \[(error|crit|alert|emerg)\]`, r.log())
	}
	return r.await(s.Arg, func() (string, error) { return r.log(), nil })
}

// await matches a text that may still be on its way.
func (r *run) await(expect string, text func() (string, error)) error {
	check := func() error {
		got, err := text()
		if err != nil {
			return err
		}
		return match(lines(expect), got)
	}
	if strings.HasPrefix(expect, "!~") {
		return check()
	}
	return wait(check)
}

// lines makes ^ and $ of a pattern match at lines.
func lines(expect string) string {
	if pattern, ok := strings.CutPrefix(expect, "~ "); ok {
		return "~ (?m)" + pattern
	}
	if pattern, ok := strings.CutPrefix(expect, "!~ "); ok {
		return "!~ (?m)" + pattern
	}
	return expect
}

// expectFile waits until a file of the prefix is "there", "absent" or has a matching text.
func (r *run) expectFile(name, expect string) error {
	path := r.path(name)
	switch expect {
	case "there", "absent":
		return wait(func() error {
			if _, err := os.Lstat(path); (err == nil) != (expect == "there") {
				return fmt.Errorf("%s is not %s", name, expect)
			}
			return nil
		})
	}
	return r.await(expect, func() (string, error) {
		text, err := os.ReadFile(path)
		return string(text), err
	})
}

// expectServer waits until the server "exits N" or has "workers N".
func (r *run) expectServer(s Step) error {
	word, arg, _ := strings.Cut(s.Arg, " ")
	want, err := strconv.Atoi(arg)
	if err != nil {
		return final{err}
	}
	switch word {
	case "workers":
		return wait(func() error {
			if got := len(r.server.children()); got != want {
				return fmt.Errorf("the master has %d children, expected %d", got, want)
			}
			return nil
		})
	case "exits":
		if err := r.server.waitEnd(); err != nil {
			return err
		}
		if got := r.server.cmd.ProcessState.ExitCode(); !r.server.daemon && got != want {
			return fmt.Errorf("the exit status is %d, expected %d", got, want)
		}
		return nil
	}
	return final{fmt.Errorf("server %s?", s.Arg)}
}

var signals = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "WINCH": syscall.SIGWINCH,
	"QUIT": syscall.SIGQUIT, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL,
}

// signal sends a signal to the master, or to the "worker"s.
func (r *run) signal(s Step) error {
	name, to, _ := strings.Cut(s.Arg, " ")
	signal, ok := signals[name]
	if !ok {
		return final{fmt.Errorf("no signal %q", name)}
	}
	if to != "worker" {
		return syscall.Kill(r.server.master, signal)
	}
	for _, pid := range r.server.children() {
		if err := syscall.Kill(pid, signal); err != nil {
			return err
		}
	}
	return nil
}

// reload sends HUP and waits for a new worker, or with "fails" for an emergency in the log.
func (r *run) reload(s Step) error {
	before, logged := r.server.children(), strings.Count(r.log(), "[emerg]")
	if err := syscall.Kill(r.server.master, syscall.SIGHUP); err != nil {
		return final{err}
	}
	return wait(func() error {
		failed := strings.Count(r.log(), "[emerg]") > logged
		if s.Arg == "fails" {
			if failed {
				return nil
			}
			return fmt.Errorf("no [emerg] in the log")
		}
		if failed {
			return final{fmt.Errorf("the new configuration is refused")}
		}
		for _, pid := range r.server.children() {
			if !slices.Contains(before, pid) {
				return nil
			}
		}
		return fmt.Errorf("no new worker")
	})
}

// reopen sends USR1 and waits until no process writes to a log that was renamed.
func (r *run) reopen(Step) error {
	if err := syscall.Kill(r.server.master, syscall.SIGUSR1); err != nil {
		return final{err}
	}
	return wait(func() error {
		for _, pid := range append(r.server.children(), r.server.master) {
			fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
			for _, fd := range fds {
				if path, err := os.Readlink(fd); err == nil && slices.Contains(r.moved, path) {
					return fmt.Errorf("process %d still has %s open", pid, path)
				}
			}
		}
		return nil
	})
}

// copyFile copies a file of the prefix over another.
func (r *run) copyFile(s Step) error {
	from, to, _ := strings.Cut(s.Arg, " ")
	in, err := os.Open(r.path(from))
	if err != nil {
		return final{err}
	}
	defer in.Close()
	out, err := os.Create(r.path(to))
	if err != nil {
		return final{err}
	}
	defer out.Close()
	_, err = io.Copy(out, in)
	return err
}

func (r *run) move(s Step) error {
	from, to, _ := strings.Cut(s.Arg, " ")
	r.moved = append(r.moved, r.path(to))
	return os.Rename(r.path(from), r.path(to))
}

// writeFile writes a quoted text to a file.
func (r *run) writeFile(s Step) error {
	name, quoted, _ := strings.Cut(s.Arg, " ")
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return final{fmt.Errorf("%s: %w", quoted, err)}
	}
	return r.write(name, text)
}

// touch sets the modification time of a file (RFC 3339).
func (r *run) touch(s Step) error {
	name, text, _ := strings.Cut(s.Arg, " ")
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return final{err}
	}
	return os.Chtimes(r.path(name), when, when)
}

// chmod sets the mode of a file, in octal.
func (r *run) chmod(s Step) error {
	name, text, _ := strings.Cut(s.Arg, " ")
	mode, err := strconv.ParseUint(text, 8, 12)
	if err != nil {
		return final{err}
	}
	return os.Chmod(r.path(name), os.FileMode(mode))
}
