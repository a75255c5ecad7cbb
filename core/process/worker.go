package process

import (
	"io"
	"os"
	"runtime/pprof"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/parser"
)

// exitCheck is how often a worker that shuts down looks whether its last
// connection has ended.
const exitCheck = 10 * time.Millisecond

// Worker is the process that modules run in: a worker, a helper, or the only
// process there is. All of it belongs to its loop.
type Worker struct {
	Cycle *Cycle
	Loop  *event.Loop
	// ID numbers the workers from 0; it is -1 in helpers.
	ID int

	title      *title
	child      bool // the master is another process
	daemonized bool
	helper     *Helper
	channel    *event.Conn
	exiting    bool // a graceful shutdown is going on
	stopping   bool // the loop is about to end
	debugQuit  bool // WINCH came straight to this process
	fibers     int  // that no request waits for
	check      *event.Timer
	timeout    *event.Timer
}

// Exiting reports whether the worker shuts down gracefully: connections are
// not kept alive and nothing new is to be begun.
func (w *Worker) Exiting() bool { return w.exiting }

// Type is what the process is, in OpenResty's words: "worker", "single" for
// the only process, "privileged agent" for a helper that modules start in, and
// "helper".
func (w *Worker) Type() string {
	switch {
	case !w.child:
		return "single"
	case w.helper == nil:
		return "worker"
	case w.helper.Run == nil:
		return "privileged agent"
	}
	return "helper"
}

// Hosts reports whether modules start in this process: in workers, in the only
// process there is, and in helpers without work of their own.
func (w *Worker) Hosts() bool { return w.helper == nil || w.helper.Run == nil }

// Quit has the process end gracefully, as SIGQUIT does, in its next turn.
func (w *Worker) Quit() {
	w.Loop.Post(func() {
		if w.child {
			w.quit()
		} else {
			w.endSingle()
		}
	})
}

// Stopping reports whether the process is about to end.
func (w *Worker) Stopping() bool { return w.stopping }

// Ignore says that so many fibers more (or fewer, when negative) than before
// serve no request, so that a graceful shutdown does not wait for them.
func (w *Worker) Ignore(fibers int) {
	w.fibers += fibers
}

// runChild is the life of a worker or helper.
func runChild(reg *conf.Registry, variable string) int {
	t := takeTitle()
	h, err := readHandoff(variable)
	if err != nil {
		log.Console(err, "[emerg] a process of the server was started without its master")
		return exitFatal
	}
	setCommand(h.Command)
	environ := os.Environ()
	unsetTuning()
	c, err := replayCycle(reg, h)
	if err != nil {
		return exitFatal
	}
	w := &Worker{Cycle: c, ID: h.ID, title: t, child: true, daemonized: h.Daemonized}
	signals := notify()
	defer profile(c.log)()
	for _, f := range c.hooks.init {
		if err := f(); err != nil {
			c.report(err)
			return exitFatal
		}
	}
	if h.ID < 0 {
		if w.helper = c.helper(h.Name); w.helper == nil {
			c.log.Log(log.Emerg, nil, "there is no %s in the configuration", h.Name)
			return exitFatal
		}
	}
	if err := w.confine(w.helper != nil && w.helper.Privileged); err != nil {
		return exitFatal
	}
	if err := w.begin(); err != nil {
		c.report(err)
		return exitFatal
	}
	if err := w.openChannel(h.Channel); err != nil {
		c.log.Log(log.Emerg, err, "the channel to the master failed")
		return exitFatal
	}
	settleMemory(environ)
	w.serve(signals)
	return 0
}

// replayCycle reads the configuration again from the master's recording.
func replayCycle(reg *conf.Registry, h *handoff) (*Cycle, error) {
	env := log.NewEnv()
	env.Console = false
	f := &log.File{}
	f.SetFD(h.ErrorFD)
	l := log.New(env, log.NewFileOutput(f, log.Alert))
	b, err := mapFile(h.Snapshot)
	if err == nil {
		unix.Close(h.Snapshot)
	}
	src, derr := decodeRecorder(b, parser.Files{})
	if err != nil || derr != nil {
		l.Log(log.Emerg, err, "the configuration did not arrive from the master")
		return nil, errReported
	}
	o := &CommandLine{Registry: reg, Source: src, Prefix: h.Prefix, ConfPrefix: h.ConfPrefix, File: h.File,
		ErrorLog: h.ErrorLog, Param: h.Param}
	c := newCycle(o, src, l, nil)
	if err := c.load(); err != nil {
		return nil, err
	}
	if err := c.attach(h); err != nil {
		return nil, err
	}
	c.parseLog = c.log
	return c, nil
}

// begin makes the loop and has the modules start on it.
func (w *Worker) begin() error {
	c := w.Cycle
	if w.Loop == nil {
		loop, err := event.New(w.loopConfig())
		if err != nil {
			return err
		}
		w.Loop = loop
	}
	for _, f := range c.hooks.start {
		if err := f(w); err != nil {
			return err
		}
	}
	return nil
}

func (w *Worker) loopConfig() event.Config {
	c := w.Cycle
	cfg := event.Config{
		Method:           c.Events.Use.V,
		Connections:      int(c.Events.Connections.V),
		MultiAccept:      c.Events.MultiAccept.V,
		TimerResolution:  c.Core.TimerResolution.V,
		AcceptMutexDelay: c.Events.AcceptMutexDelay.V,
		Stats:            &c.shared.Stats,
		Log:              loopLog{w},
		OnTime:           c.logEnv.Clock.Update,
		OffloadThreads:   int(UsedThreads(c.Conf)),
	}
	if c.Events.AcceptMutex.V && c.Core.Master.V && c.Core.Workers.V > 1 {
		cfg.AcceptMutex = acceptMutex{&c.shared.AcceptMutex}
	}
	if w.helper != nil {
		cfg.Connections = helperConnections
		if n := w.helper.Connections; n > 0 {
			cfg.Connections = n
		}
	}
	return cfg
}

// helperConnections is worker_connections in a helper that does not say.
const helperConnections = 512

// loopLog sends what the loop reports into the log of the current cycle.
type loopLog struct{ w *Worker }

func (l loopLog) Log(level int, err error, format string, args ...any) {
	l.w.Cycle.log.Log(log.Level(level), err, format, args...)
}

// serve runs the loop until the process is to end.
func (w *Worker) serve(signals <-chan os.Signal) {
	go func() {
		for s := range signals {
			w.Loop.Post(func() { w.signal(s.(unix.Signal)) })
		}
	}()
	if w.helper != nil {
		w.ready()
		w.runHelper(w.helper)
		return
	}
	if err := w.listen(); err != nil {
		w.Cycle.log.Log(log.Emerg, err, "adding the listening sockets failed")
		os.Exit(exitFatal)
	}
	w.ready()
	if err := w.Loop.Run(); err != nil {
		w.Cycle.log.Log(log.Alert, err, "the event loop failed")
		os.Exit(1)
	}
	if w.debugQuit {
		w.Cycle.log.Log(log.Alert, nil, "aborting")
		w.Cycle.Core.debugPoint()
	}
	w.Cycle.log.Log(log.Notice, nil, "exit")
}

// listen adds the sockets that this worker got to the loop.
func (w *Worker) listen() error {
	shared := w.Cycle.Core.Master.V && w.Cycle.Core.Workers.V > 1
	for _, ls := range w.Cycle.listening {
		switch {
		case ls.FD < 0 || ls.Reuseport && ls.Worker != w.ID:
		case ls.Type != unix.SOCK_STREAM:
			if ls.Packets != nil {
				if err := ls.Packets(w, ls); err != nil {
					return err
				}
			}
		case ls.Server != nil:
			ls.accept = &event.Listener{FD: ls.FD, Server: ls.Server, Data: ls, Timeout: ls.Timeout,
				Immediate: ls.Immediate, Deferred: ls.Deferred, Shared: shared && !ls.Reuseport}
			if err := w.Loop.AddListener(ls.accept); err != nil {
				return err
			}
		}
	}
	return nil
}

// openChannel listens to the master's commands.
func (w *Worker) openChannel(fd int) error {
	c, err := w.Loop.Adopt(fd)
	if err != nil {
		return err
	}
	w.channel = c
	w.Ignore(1)
	w.Loop.Go(w.obey)
	return nil
}

// obey runs the master's commands. When the master dies the worker goes on
// serving.
func (w *Worker) obey() {
	var b [16]byte
	for {
		n, err := w.channel.Read(b[:])
		for _, command := range b[:max(n, 0)] {
			switch command {
			case commandQuit:
				w.quit()
			case commandTerminate:
				w.terminate()
			case commandReopen:
				w.reopen()
			}
		}
		if err == io.EOF || err != nil {
			w.channel.Close()
			w.Ignore(-1)
			return
		}
	}
}

// ready tells the master that this process serves.
func (w *Worker) ready() {
	if w.channel != nil {
		unix.Write(w.channel.FD(), []byte{channelReady})
	}
}

// signal logs a signal that was sent straight to this process and acts on it.
func (w *Worker) signal(sig unix.Signal) {
	say := func(action string) { w.Cycle.log.Log(log.Notice, nil, "%s", received(sig, action)) }
	switch sig {
	case unix.SIGWINCH:
		if !w.daemonized {
			say("")
			return
		}
		w.debugQuit = true
		fallthrough
	case unix.SIGQUIT:
		say(", shutting down")
		w.quit()
	case unix.SIGTERM, unix.SIGINT:
		say(", exiting")
		w.terminate()
	case unix.SIGUSR1:
		say(", reopening logs")
		w.reopen()
	case unix.SIGHUP, unix.SIGUSR2, unix.SIGIO:
		say(", ignoring")
	case unix.SIGCHLD:
		say("")
		w.childEnded()
	default:
		say("")
	}
}

// childEnded tells the modules of a SIGCHLD.
func (w *Worker) childEnded() {
	for _, f := range w.Cycle.hooks.child {
		f(w)
	}
}

// quit begins the graceful shutdown: no new connections, no idle ones, and the
// end when the last request is done.
func (w *Worker) quit() {
	if w.helper != nil {
		w.terminate()
		return
	}
	w.Cycle.log.Log(log.Notice, nil, "gracefully shutting down")
	w.title.set(workerName + " is shutting down")
	if w.exiting {
		return
	}
	w.exiting = true
	if limit := w.Cycle.Core.ShutdownTimeout.V; limit > 0 {
		w.timeout = event.NewTimer(w.finish)
		w.Loop.SetTimer(w.timeout, limit)
	}
	w.stopListening()
	w.Loop.CloseIdle()
	for _, f := range w.Cycle.hooks.quit {
		f(w)
	}
	w.check = event.NewTimer(w.checkExit)
	w.Loop.SetTimer(w.check, 0)
}

// checkExit ends the process once nothing is left to do.
func (w *Worker) checkExit() {
	if w.Loop.Active() == 0 && w.Loop.Fibers() <= w.fibers {
		w.finish()
		return
	}
	w.Loop.SetTimer(w.check, exitCheck)
}

func (w *Worker) stopListening() {
	if err := w.Loop.RemoveListeners(); err != nil {
		w.Cycle.log.Log(log.Alert, err, "removing the listening sockets failed")
	}
	for _, ls := range w.Cycle.listening {
		if !ls.QUIC {
			w.Cycle.closeSocket(ls)
		}
	}
}

// terminate ends the process at once.
func (w *Worker) terminate() { w.finish() }

// finish stops the loop after the modules have had a last word.
func (w *Worker) finish() {
	if w.stopping {
		return
	}
	w.stopping = true
	w.Cycle.log.Log(log.Notice, nil, "exiting")
	for _, f := range w.Cycle.hooks.exit {
		f(w)
	}
	w.Cycle.Files.Flush()
	w.Loop.Stop()
}

func (w *Worker) reopen() {
	w.Cycle.log.Log(log.Notice, nil, "reopening logs")
	w.Cycle.Files.Reopen(w.Cycle.log, -1)
	w.Cycle.redirectStderr()
}

// unsetTuning removes from the environment what the master put there for the
// Go runtime; the program that modules run sees what env directives name.
func unsetTuning() {
	for _, name := range tuning {
		if name != profileVariable {
			os.Unsetenv(name)
		}
	}
}

// profile starts a CPU profile if the environment asks for one and returns
// what ends it.
func profile(l *log.Logger) func() {
	name, ok := takeVariable(profileVariable)
	if !ok {
		return func() {}
	}
	f, err := os.Create(name + "." + strconv.Itoa(os.Getpid()))
	if err != nil {
		l.Log(log.Error, err, "CPU profile")
		return func() {}
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		l.Log(log.Error, err, "CPU profile")
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}
}
