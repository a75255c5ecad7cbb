package process

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"moongate/core/log"
)

const newBinaryName = "new binary process"

// spare makes room behind the arguments of a new binary for its title, which
// nginx too writes over the environment.
var spare = "SPARE=" + strings.Repeat("X", 300)

// changeBinary starts the binary that is now at the path of this one and hands
// it the listening sockets, after which both accept connections. Whoever asked
// then stops one of them (ngx_exec_new_binary).
func (m *master) changeBinary(say func(action string)) {
	if os.Getppid() == m.parent || m.newBinary > 0 {
		say(", ignoring")
		m.log().Log(log.Crit, nil, "the changing binary signal is ignored: "+
			"you should shutdown or terminate before either old or new binary's process")
		return
	}
	say(", changing binary")
	m.log().Log(log.Notice, nil, "changing binary")
	core := m.cycle.Core
	path := os.Args[0]
	if err := os.Rename(core.Pid.V, core.OldPid()); err != nil {
		m.log().Log(log.Alert, err, `rename() %s to %s failed before executing new binary process "%s"`,
			core.Pid.V, core.OldPid(), path)
		return
	}
	pid, err := m.execNewBinary(path)
	if err != nil {
		m.log().Log(log.Alert, err, `execve() failed while executing %s "%s"`, newBinaryName, path)
		if err := os.Rename(core.OldPid(), core.Pid.V); err != nil {
			m.log().Log(log.Alert, err, `rename() %s back to %s failed after an attempt to execute new binary process "%s"`,
				core.OldPid(), core.Pid.V, path)
		}
		return
	}
	m.log().Log(log.Notice, nil, "start %s %d", newBinaryName, pid)
	m.newBinary = pid
	m.children = append(m.children, &child{name: newBinaryName, pid: pid, detached: true})
}

func (m *master) execNewBinary(path string) (int, error) {
	if !strings.Contains(path, "/") {
		found, err := exec.LookPath(path)
		if err != nil {
			return 0, unix.ENOENT
		}
		path = found
	}
	d := newDescriptors()
	var sockets strings.Builder
	for _, ls := range m.cycle.listening {
		if ls.FD >= 0 {
			sockets.WriteString(strconv.Itoa(d.add(ls.FD)) + ";")
		}
	}
	env := append(m.cycle.Core.environment(m.environ), upgradeVariable+"="+sockets.String(), spare)
	for _, name := range tuning {
		if v, ok := lookup(m.environ, name); ok {
			env = append(env, name+"="+v)
		}
	}
	return syscall.ForkExec(path, os.Args, &syscall.ProcAttr{Env: env, Files: d})
}

// newBinaryExited takes the service back when the new binary ends first.
func (m *master) newBinaryExited() {
	core := m.cycle.Core
	if err := os.Rename(core.OldPid(), core.Pid.V); err != nil {
		m.log().Log(log.Alert, err, `rename() %s back to %s failed after the new binary process "%s" exited`,
			core.OldPid(), core.Pid.V, os.Args[0])
	}
	m.newBinary = 0
	if m.noaccepting {
		m.noaccepting = false
		m.restart = true
	}
}
