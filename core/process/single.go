package process

import (
	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
)

// single runs the server in this one process, for "master_process off"
// (ngx_single_process_cycle). It keeps its user.
func (m *master) single() int {
	w := &Worker{Cycle: m.cycle, title: m.title, daemonized: m.daemonized}
	if err := w.begin(); err != nil {
		m.cycle.report(err)
		return exitFatal
	}
	if err := w.listen(); err != nil {
		m.log().Log(log.Emerg, err, "adding the listening sockets failed")
		return exitFatal
	}
	go func() {
		for s := range m.signals {
			w.Loop.Post(func() { m.singleSignal(w, s.(unix.Signal)) })
		}
	}()
	defer profile(m.log())()
	if err := w.Loop.Run(); err != nil {
		m.log().Log(log.Alert, err, "the event loop failed")
		return 1
	}
	m.cycle.deletePid(m.newBinary != 0)
	m.log().Log(log.Notice, nil, "exit")
	m.cycle.closeListening(m.ownsFile)
	return 0
}

// singleSignal acts on a signal on the loop. QUIT is graceful, as in OpenResty.
func (m *master) singleSignal(w *Worker, sig unix.Signal) {
	say := func(action string) { m.log().Log(log.Notice, nil, "%s", received(sig, action)) }
	switch sig {
	case unix.SIGQUIT:
		say(", shutting down")
		w.quit()
	case unix.SIGTERM, unix.SIGINT:
		say(", exiting")
		w.endSingle()
	case unix.SIGHUP:
		say(", reconfiguring")
		m.reconfigureSingle(w)
	case unix.SIGUSR1:
		say(", reopening logs")
		w.reopen()
	case unix.SIGCHLD:
		say("")
		w.childEnded()
	default:
		say("")
	}
}

func (w *Worker) endSingle() {
	if w.stopping {
		return
	}
	w.stopping = true
	for _, f := range w.Cycle.hooks.exit {
		f(w)
	}
	w.Cycle.Files.Flush()
	w.Loop.Stop()
}

// reconfigureSingle puts a new cycle into the running loop. Connections of the
// old one go on with what they have.
func (m *master) reconfigureSingle(w *Worker) {
	m.log().Log(log.Notice, nil, "reconfiguring")
	old := m.cycle
	accepting := make(map[int]*event.Listener)
	for _, ls := range old.listening {
		if ls.accept != nil {
			accepting[ls.FD] = ls.accept
		}
	}
	c, err := m.options.reload(old)
	if err != nil {
		return
	}
	for _, l := range accepting {
		w.Loop.RemoveListener(l)
	}
	m.cycle, w.Cycle = c, c
	if err := w.begin(); err != nil {
		c.report(err)
	}
	if err := w.listen(); err != nil {
		c.log.Log(log.Emerg, err, "adding the listening sockets failed")
	}
}
