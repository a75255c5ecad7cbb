package process

import (
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"moongate/core/log"
)

// Delays between telling workers to terminate and telling them again; beyond
// the last they are killed.
const (
	terminateFirst = 50 * time.Millisecond
	terminateLast  = time.Second
)

// readyLimit is how long a reload waits for all of its workers to serve before
// the old ones are told to stop.
const readyLimit = 60 * time.Second

// master is the master process (ngx_master_process_cycle). All of it runs on
// one goroutine.
type master struct {
	options *CommandLine
	title   *title
	command string
	environ []string
	parent  int // who started this process, at its start

	cycle    *Cycle
	snapshot int // memory file with what the cycle was read from

	children   []*child
	generation int
	signals    <-chan os.Signal
	ready      chan int
	settled    *time.Timer // ends the wait for the workers of a reload
	alarm      *time.Timer // repeats the termination
	delay      time.Duration

	terminate, quit bool
	draining        bool // workers of earlier generations are to stop once the new serve
	daemonized      bool
	noaccepting     bool // WINCH came: the workers are gone
	restart         bool // the new binary failed: the workers are to come back
	newBinary       int  // pid of the binary that takes over, 0 for none
}

func (m *master) log() *log.Logger { return m.cycle.log }

// run starts the workers and acts on signals. It does not return.
func (m *master) run() {
	text := "master process"
	for _, a := range os.Args {
		text += " " + a
	}
	m.title.set(text)
	m.alarm, m.settled = stoppedTimer(), stoppedTimer()
	m.takeSnapshot()
	m.startWorkers()
	for {
		late := false
		select {
		case s := <-m.signals:
			m.signal(s.(unix.Signal))
		case pid := <-m.ready:
			if ch := m.byPid(pid); ch != nil {
				ch.ready = true
			}
		case <-m.settled.C:
			late = true
		case <-m.alarm.C:
			m.delay *= 2
			m.terminateChildren()
		}
		if m.restart {
			m.restart = false
			m.startWorkers()
		}
		m.checkSettled(late)
	}
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// signal logs a signal and acts on it.
func (m *master) signal(sig unix.Signal) {
	say := func(action string) { m.log().Log(log.Notice, nil, "%s", received(sig, action)) }
	if m.quit || m.terminate {
		if action, late := tooLate[sig]; late {
			say(action)
			return
		}
	}
	switch sig {
	case unix.SIGQUIT:
		say(", shutting down")
		m.quit = true
		m.signalChildren(unix.SIGQUIT, all)
		m.cycle.closeListening(m.ownsFile)
		m.exitIfAlone()
	case unix.SIGTERM, unix.SIGINT:
		say(", exiting")
		m.terminate = true
		if m.delay == 0 {
			m.delay = terminateFirst
			m.terminateChildren()
		}
		m.exitIfAlone()
	case unix.SIGWINCH:
		if !m.daemonized {
			say("")
			return
		}
		say(", stop accepting connections")
		m.noaccepting = true
		m.signalChildren(unix.SIGQUIT, all)
	case unix.SIGHUP:
		say(", reconfiguring")
		m.reconfigure()
	case unix.SIGUSR1:
		say(", reopening logs")
		m.reopen()
	case unix.SIGUSR2:
		m.changeBinary(say)
	case unix.SIGCHLD:
		say("")
		m.reap()
		if !m.replaceExited() && (m.terminate || m.quit) {
			m.exit()
		}
	default:
		say("")
	}
}

// tooLate are the signals that a master which is about to exit only logs.
var tooLate = map[unix.Signal]string{
	unix.SIGHUP: ", reconfiguring", unix.SIGUSR1: ", reopening logs", unix.SIGUSR2: ", changing binary",
	unix.SIGWINCH: ", stop accepting connections",
}

// exitIfAlone ends a master that has no processes to wait for.
func (m *master) exitIfAlone() {
	for _, ch := range m.children {
		if ch.exiting || !ch.detached {
			return
		}
	}
	m.exit()
}

// terminateChildren tells the workers to exit at once, or kills them when they
// were told long enough.
func (m *master) terminateChildren() {
	sig := unix.SIGTERM
	if m.delay > terminateLast {
		sig = unix.SIGKILL
	}
	m.signalChildren(sig, all)
	m.alarm.Reset(m.delay)
}

// startWorkers starts the processes of the current cycle.
func (m *master) startWorkers() {
	m.generation++
	m.log().Log(log.Notice, nil, "start worker processes")
	for id := range int(m.cycle.Core.Workers.V) {
		m.add(&child{name: workerName, id: id, respawn: true})
	}
	for _, h := range m.cycle.allHelpers() {
		m.add(&child{name: h.Name, id: -1, helper: h, respawn: h.Respawn})
	}
	// The master is idle from here on; what reading took need not stay.
	debug.FreeOSMemory()
}

func (m *master) add(ch *child) {
	if m.start(ch) == nil {
		m.children = append(m.children, ch)
	}
}

// takeSnapshot makes the cycle's recording available to new processes.
func (m *master) takeSnapshot() {
	fd, err := memoryFile("configuration", m.cycle.source.encode())
	m.cycle.source = nil
	if err != nil {
		m.log().Log(log.Emerg, err, "memfd_create() of the configuration failed")
		os.Exit(exitFatal)
	}
	if m.snapshot > 0 {
		unix.Close(m.snapshot)
	}
	m.snapshot = fd
}

// reconfigure reads the configuration again. When it is good new workers are
// started, and the old ones are told to finish as soon as the new ones serve;
// when it is not, nothing changes.
func (m *master) reconfigure() {
	if m.newBinary != 0 {
		m.startWorkers()
		m.noaccepting = false
		return
	}
	m.log().Log(log.Notice, nil, "reconfiguring")
	c, err := m.options.reload(m.cycle)
	if err != nil {
		return
	}
	m.cycle = c
	m.takeSnapshot()
	m.startWorkers()
	m.draining = true
	m.settled.Reset(readyLimit)
}

// checkSettled lets the old workers go once each of the new ones serves or has
// failed, or when it takes too long. While none of them serves the old ones
// stay: a server that does not answer is worse than one with an old
// configuration.
func (m *master) checkSettled(late bool) {
	if !m.draining {
		return
	}
	serving, waiting := m.cycle.Core.Workers.V == 0, false
	for _, ch := range m.children {
		if ch.generation != m.generation || ch.id < 0 {
			continue
		}
		serving = serving || ch.ready
		waiting = waiting || !ch.ready
	}
	switch {
	case serving && (late || !waiting):
		m.drain()
	case late:
		m.settled.Reset(readyLimit)
	}
}

// drain tells the processes of earlier cycles to finish.
func (m *master) drain() {
	m.draining = false
	m.settled.Stop()
	m.signalChildren(unix.SIGQUIT, func(ch *child) bool { return ch.generation != m.generation })
}

// reopen opens the log files again and gives them to the workers' user, as
// they open them by themselves (ngx_reopen_files).
func (m *master) reopen() {
	m.log().Log(log.Notice, nil, "reopening logs")
	uid := -1
	if u := m.cycle.Core.User; u.Set {
		uid = u.V.UID
	}
	m.cycle.Files.Reopen(m.log(), uid)
	m.cycle.redirectStderr()
	m.signalChildren(unix.SIGUSR1, all)
}

// exit ends the master (ngx_master_process_exit).
func (m *master) exit() {
	m.cycle.deletePid(m.newBinary != 0)
	m.log().Log(log.Notice, nil, "exit")
	m.cycle.closeListening(m.ownsFile)
	os.Exit(0)
}

// ownsFile reports whether the file of a unix domain socket is this process's
// to remove: not while another binary may listen on the same socket.
func (m *master) ownsFile(ls *Listening) bool {
	return m.newBinary == 0 && (!ls.inherited || os.Getppid() != m.parent)
}
