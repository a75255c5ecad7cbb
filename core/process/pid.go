package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/log"
)

// maxPid is how much of a pid file is read.
const maxPid = 22

// createPid writes the master's pid; -t only makes sure that it could
// (ngx_create_pidfile).
func (c *Cycle) createPid() error {
	name := c.Core.Pid.V
	flags := os.O_RDWR | os.O_CREATE
	if !c.Conf.Test {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(name, flags, 0o644)
	if err != nil {
		c.log.Log(log.Emerg, err, `open() "%s" failed`, name)
		return errReported
	}
	defer f.Close()
	if c.Conf.Test {
		return nil
	}
	if _, err := fmt.Fprintf(f, "%d\n", os.Getpid()); err != nil {
		c.log.Log(log.Crit, err, `pwrite() "%s" failed`, name)
		return errReported
	}
	return nil
}

// preparePid does what concerns the pid file before a cycle is opened: a test
// tries it, a reload moves to a new name. The first start writes it later, when
// nothing can fail any more.
func (c *Cycle) preparePid(old *Cycle) error {
	switch {
	case c.Conf.Test:
		return c.createPid()
	case old == nil || old.Core == nil || old.Core.Pid.V == c.Core.Pid.V:
		return nil
	}
	if err := c.createPid(); err != nil {
		return err
	}
	old.deletePid(false)
	return nil
}

// deletePid removes the pid file, which an upgrade in progress has renamed.
func (c *Cycle) deletePid(renamed bool) {
	name := c.Core.Pid.V
	if renamed {
		name = c.Core.OldPid()
	}
	if err := unix.Unlink(name); err != nil {
		c.log.Log(log.Alert, err, `unlink() "%s" failed`, name)
	}
}

// readPid reads the pid file of the running server. The error wraps an errno
// if there is one, which its text leaves to the log line.
func readPid(name string) (int, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, &pidError{text: fmt.Sprintf(`open() "%s" failed`, name), err: err}
	}
	b = bytes.TrimRight(b[:min(len(b), maxPid)], "\r\n")
	n, ok := conf.ParseInt(string(b))
	if !ok {
		return 0, badPid(string(b), name)
	}
	pid, err := strconv.Atoi(strconv.FormatInt(n, 10))
	if err != nil {
		return 0, badPid(string(b), name)
	}
	return pid, nil
}
