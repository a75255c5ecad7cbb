package process

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"moongate/core/log"
)

// daemon is a server that was detached from the command that started it and
// has not told that command yet how the start went.
type daemon struct{ report *os.File }

// daemonStarted is the message that the start succeeded.
const daemonStarted = '+'

// detach starts this binary again in a session of its own and waits until that
// process serves or fails. Go cannot fork, so what nginx does after reading
// the configuration comes before here; what goes wrong is on standard error
// all the same (ngx_daemon).
func detach(l *log.Logger) int {
	failed := func(err error, call string) int {
		l.Log(log.Emerg, err, "%s failed while detaching", call)
		return 1
	}
	r, w, err := os.Pipe()
	if err != nil {
		return failed(err, "pipe()")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = os.Args
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{w}
	cmd.Env = append(os.Environ(), daemonVariable+"="+strconv.Itoa(firstFree))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return failed(err, "fork()")
	}
	w.Close()
	var b [1]byte
	if n, _ := r.Read(b[:]); n == 1 && b[0] == daemonStarted {
		return 0
	}
	err = cmd.Wait()
	var status *exec.ExitError
	if errors.As(err, &status) && status.ExitCode() > 0 {
		return status.ExitCode()
	}
	return 1
}

// takeDaemon recognises a process that detach has started.
func takeDaemon() *daemon {
	v, ok := takeVariable(daemonVariable)
	if !ok {
		return nil
	}
	fd, err := strconv.Atoi(v)
	if err != nil {
		return nil
	}
	unix.CloseOnExec(fd)
	unix.Umask(0)
	return &daemon{report: os.NewFile(uintptr(fd), "daemon")}
}

// succeeded lets the command that started the server return.
func (d *daemon) succeeded() {
	if d == nil {
		return
	}
	d.report.Write([]byte{daemonStarted})
	d.report.Close()
}
