package process

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"moongate/core/log"
)

// workerName is the title of a worker and what messages call it.
const workerName = "worker process"

// child is a process that the master has started (ngx_process_t).
type child struct {
	pid  int
	name string
	id   int
	// helper is set in helpers.
	helper *Helper
	// channel carries commands to the child and its readiness back; nil for
	// a new binary, which is on its own.
	channel *os.File
	// generation is the cycle that the child was started for.
	generation int

	respawn  bool // another one takes its place when it dies
	exiting  bool // it was told to
	exited   bool
	ready    bool // it has come as far as serving
	detached bool // a new binary
	status   unix.WaitStatus
}

// Commands on the channel, one byte each.
const (
	commandQuit      = 'q'
	commandTerminate = 't'
	commandReopen    = 'r'
	// channelReady is the child's only message.
	channelReady = '+'
)

// channelWait is how long the master waits for room in a channel, into which
// hundreds of commands fit.
const channelWait = 100 * time.Millisecond

// commands are the signals that the channel can carry instead.
var commands = map[unix.Signal]byte{
	unix.SIGQUIT: commandQuit,
	unix.SIGTERM: commandTerminate,
	unix.SIGUSR1: commandReopen,
}

// start starts a process for the current cycle. Failures have been logged.
func (m *master) start(ch *child) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		m.log().Log(log.Alert, err, `socketpair() failed while spawning "%s"`, ch.name)
		return err
	}
	defer unix.Close(pair[1])
	h := &handoff{Name: ch.name, ID: ch.id, Command: m.command, Daemonized: m.daemonized}
	pid, err := m.exec(h, pair[1])
	if err != nil {
		unix.Close(pair[0])
		m.log().Log(log.Alert, err, `fork() failed while spawning "%s"`, ch.name)
		return err
	}
	ch.pid, ch.exited, ch.ready, ch.generation = pid, false, false, m.generation
	ch.channel = os.NewFile(uintptr(pair[0]), "channel")
	m.cycle.shared.list(pid)
	m.log().Log(log.Notice, nil, "start %s %d", ch.name, pid)
	go m.listen(ch.channel, pid)
	return nil
}

// listen passes a child's message on to the master's loop.
func (m *master) listen(channel *os.File, pid int) {
	var b [1]byte
	for {
		n, err := channel.Read(b[:])
		if err != nil {
			return
		}
		if n == 1 && b[0] == channelReady {
			m.ready <- pid
		}
	}
}

// signalChildren tells the children that chosen accepts: by a command where
// there is one, which needs no right over their user, otherwise by the signal
// (ngx_signal_worker_processes).
func (m *master) signalChildren(sig unix.Signal, chosen func(*child) bool) {
	for _, ch := range m.children {
		if ch.detached || ch.exited || ch.exiting && sig == unix.SIGQUIT || !chosen(ch) {
			continue
		}
		if m.tell(ch, sig) && sig != unix.SIGUSR1 {
			ch.exiting = true
		}
	}
}

func all(*child) bool { return true }

func (m *master) tell(ch *child, sig unix.Signal) bool {
	if command, ok := commands[sig]; ok {
		// One that does not read its commands may not keep the master waiting.
		_ = ch.channel.SetWriteDeadline(time.Now().Add(channelWait))
		if _, err := ch.channel.Write([]byte{command}); err == nil {
			return true
		}
	}
	if err := unix.Kill(ch.pid, sig); err != nil {
		m.log().Log(log.Alert, err, "kill(%d, %d) failed", ch.pid, int(sig))
		return false
	}
	return true
}

// reap collects the status of every process that has ended
// (ngx_process_get_status).
func (m *master) reap() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid == 0 {
			return
		}
		ch := m.byPid(pid)
		name := "unknown process"
		if ch != nil {
			ch.status, ch.exited, name = status, true, ch.name
		}
		m.cycle.shared.unlist(pid)
		m.logExit(name, pid, status)
		// A Go program that panics exits with status 2 too. It is fatal, in
		// the sense that the next one would do the same, only from a process
		// that never came as far as serving.
		if ch != nil && status.ExitStatus() == exitFatal && ch.respawn && !ch.ready {
			m.log().Log(log.Alert, nil, "%s %d exited with fatal code %d and cannot be respawned", name, pid, exitFatal)
			ch.respawn = false
		}
		m.cycle.unlock(pid)
	}
}

// exitFatal is the exit status of a process that cannot start.
const exitFatal = 2

func (m *master) logExit(name string, pid int, status unix.WaitStatus) {
	if !status.Signaled() {
		m.log().Log(log.Notice, nil, "%s %d exited with code %d", name, pid, status.ExitStatus())
		return
	}
	dumped := ""
	if status.CoreDump() {
		dumped = " (core dumped)"
	}
	m.log().Log(log.Alert, nil, "%s %d exited on signal %d%s", name, pid, int(status.Signal()), dumped)
}

func (m *master) byPid(pid int) *child {
	for _, ch := range m.children {
		if ch.pid == pid {
			return ch
		}
	}
	return nil
}

// replaceExited starts a new process for each that died without being told to,
// and forgets the others. It reports whether any child is left that the
// master has to wait for (ngx_reap_children).
func (m *master) replaceExited() (live bool) {
	kept := m.children[:0]
	for _, ch := range m.children {
		if !ch.exited {
			live = live || ch.exiting || !ch.detached
			kept = append(kept, ch)
			continue
		}
		if ch.channel != nil {
			ch.channel.Close()
		}
		// One that a reload is about to drain has its successor already.
		drained := m.draining && ch.generation != m.generation
		if ch.respawn && !ch.exiting && !drained && !m.terminate && !m.quit {
			if m.start(ch) == nil {
				live = true
				kept = append(kept, ch)
				continue
			}
			m.log().Log(log.Alert, nil, "could not respawn %s", ch.name)
		}
		if ch.pid == m.newBinary {
			m.newBinaryExited()
		}
	}
	clear(m.children[len(kept):])
	m.children = kept
	return live
}
