package process

import (
	"errors"

	"moongate/conf"
	"moongate/core/build"
	"moongate/core/log"
	"moongate/core/shm"
	"moongate/parser"
)

// CommandLine is what the command line says, as the master and its workers need it.
type CommandLine struct {
	Registry *conf.Registry
	// Source is where files come from in the master.
	Source parser.Source
	// Prefix and ConfPrefix end with a slash; File is a full path.
	Prefix, ConfPrefix, File string
	// ErrorLog is the log of a configuration that names none, relative to
	// Prefix; empty means standard error.
	ErrorLog string
	// Param is the text of -g.
	Param string
	// Test, Quiet and Dump are -t, -q and -T; Signal is the argument of -s.
	Test, Quiet, Dump bool
	Signal            string
	// Starting is called before the configuration is read, with the log of that
	// time, when a server starts or -t tries one.
	Starting func(l *log.Logger)
}

// Cycle is one configuration in use: the sockets, logs, shared memory and
// folders that it declares, and what the modules do when processes start and
// end (ngx_cycle_t). A reload makes a new one.
type Cycle struct {
	Conf   *conf.Cycle
	Core   *Core
	Events *Events
	// Files are the error and access logs, opened by the master and reopened
	// on SIGUSR1.
	Files log.Files

	options *CommandLine
	old     *Cycle // while a reload reads the configuration
	source  *recorder
	single  bool // this process serves, whatever master_process says since

	logEnv       *log.Env
	parseLog     *log.Logger // of messages about the configuration
	log          *log.Logger
	outputs      []*log.Output
	logsToStderr bool

	listening []*Listening
	zones     []*Zone
	paths     []*Path
	helpers   []*Helper
	hooks     hooks

	shared     *Shared
	sharedZone *shm.Zone
}

// hooks are what modules do at the turns of a process's life.
type hooks struct {
	init       []func() error
	start      []func(w *Worker) error
	quit, exit []func(w *Worker)
	child      []func(w *Worker)
}

// Of returns the engine's part of a configuration.
func Of(c *conf.Cycle) *Cycle { return c.Engine.(*Cycle) }

// Log is the logger of the main context. It changes while the configuration
// is read and after a reload, so ask for it when there is something to log.
func (c *Cycle) Log() *log.Logger { return c.log }

// LogEnv is what the loggers of this process share: the clock above all.
func (c *Cycle) LogEnv() *log.Env { return c.logEnv }

// Shared are the counters that all processes share.
func (c *Cycle) Shared() *Shared { return c.shared }

// OnInit has f called when sockets, logs and zones are open: once in the
// master, and again in each worker before OnStart, as memory is not inherited
// (nginx's init_module). An error in the master fails the start or the reload,
// one in a worker ends the process.
func (c *Cycle) OnInit(f func() error) { c.hooks.init = append(c.hooks.init, f) }

// OnStart has f called in each worker and helper on its loop, before any
// connection is accepted (nginx's init_process). An error ends the process,
// which is then not started again.
func (c *Cycle) OnStart(f func(w *Worker) error) { c.hooks.start = append(c.hooks.start, f) }

// OnQuit has f called on the loop when a worker begins to shut down
// gracefully: what waits without a request to finish is to end.
func (c *Cycle) OnQuit(f func(w *Worker)) { c.hooks.quit = append(c.hooks.quit, f) }

// OnExit has f called on the loop just before a worker exits, however
// (nginx's exit_process).
func (c *Cycle) OnExit(f func(w *Worker)) { c.hooks.exit = append(c.hooks.exit, f) }

// OnChild has f called on the loop of a worker after a SIGCHLD: some process
// that it has started may have ended. Who starts one waits for that one only.
func (c *Cycle) OnChild(f func(w *Worker)) { c.hooks.child = append(c.hooks.child, f) }

// newCycle prepares the reading of a configuration. Messages go to l.
func newCycle(o *CommandLine, src *recorder, l *log.Logger, old *Cycle) *Cycle {
	c := &Cycle{options: o, old: old, source: src, logEnv: l.Env(), parseLog: l, log: l}
	if old != nil {
		c.shared, c.sharedZone, c.single = old.shared, old.sharedZone, old.single
	}
	c.Conf = &conf.Cycle{
		Registry: o.Registry, Source: src,
		Prefix: o.Prefix, ConfPrefix: o.ConfPrefix, File: o.File,
		Test: o.Test, Worker: src.replaying(), Engine: c,
		Log: func(level conf.LogLevel, msg string) { c.parseLog.Log(log.Level(level), nil, "%s", msg) },
	}
	return c
}

// load reads and completes the configuration. Complaints have been logged
// when it fails.
func (c *Cycle) load() error {
	if err := c.Conf.Load(c.options.Param); err != nil {
		return c.report(err)
	}
	if c.options.Test && !c.options.Quiet {
		log.Console(nil, "the configuration file %s syntax is ok", c.options.File)
	}
	return c.report(c.complete())
}

// complete applies defaults and checks what only the whole tells.
func (c *Cycle) complete() error {
	reg := c.Conf.Registry
	cf := &conf.Conf{Cycle: c.Conf, Scope: c.Conf.Scope, In: conf.Main}
	defaults := reg.NewScope(conf.Core, nil, conf.LevelMain)
	if err := reg.Merge(cf, conf.LevelMain, defaults, c.Conf.Scope); err != nil {
		return err
	}
	objectsSlot.Of(c.Conf.Scope).complete()
	c.Core, c.Events = CoreOf(c.Conf), EventsOf(c.Conf)
	if err := c.Core.complete(c); err != nil {
		return err
	}
	if err := poolSlot.Of(c.Conf.Scope).complete(); err != nil {
		return err
	}
	if err := c.Events.complete(c); err != nil {
		return err
	}
	if !c.Conf.Test && c.Core.Master.V {
		c.cloneReuseport(int(c.Core.Workers.V))
	}
	return nil
}

// report logs an error that stops the server, unless that was done already.
func (c *Cycle) report(err error) error {
	if err == nil || errors.Is(err, errReported) {
		return err
	}
	c.log.Log(log.Emerg, nil, "%s", err)
	return errReported
}

// open gets hold of everything the configuration declares, as the master does,
// and starts the modules: after it the cycle can be served. A failure leaves
// nothing behind.
func (c *Cycle) open(old *Cycle) error {
	err := c.acquire(old)
	if err == nil {
		err = c.initModules()
	}
	if err != nil {
		c.rollback(old)
		return err
	}
	c.commit(old)
	return nil
}

func (c *Cycle) acquire(old *Cycle) error {
	if err := c.preparePid(old); err != nil {
		return err
	}
	if err := c.createPaths(); err != nil {
		return err
	}
	if err := c.openLogs(); err != nil {
		return err
	}
	var before Cycle
	if old != nil {
		before = *old
	}
	if c.shared == nil {
		var err error
		if c.shared, c.sharedZone, err = createShared(); err != nil {
			c.log.Log(log.Alert, err, "creating the shared zone failed")
			return errReported
		}
	}
	if err := c.createZones(before.zones); err != nil {
		return err
	}
	c.inheritFrom(before.listening)
	if err := c.openSockets(); err != nil {
		return err
	}
	if c.Conf.Test {
		return nil
	}
	c.configureSockets()
	return nil
}

// openLogs opens the files; from then on messages go to the cycle's own log.
func (c *Cycle) openLogs() error {
	c.addDefaultLog()
	if err := c.Files.Open(); err != nil {
		c.parseLog.Log(log.Emerg, errors.Unwrap(err), "%s", err)
		return errReported
	}
	c.log = log.New(c.logEnv, c.outputs...)
	return nil
}

// closeLogs closes the files and the sockets that openLogs or messages have
// opened. Failures go to l.
func (c *Cycle) closeLogs(l *log.Logger) {
	c.Files.Close(l)
	for _, out := range c.outputs {
		out.Close()
	}
}

// redirectStderr sends what the runtime prints into the log, unless the
// configuration itself logs to standard error.
func (c *Cycle) redirectStderr() {
	if c.logsToStderr {
		return
	}
	if err := c.log.RedirectStderr(); err != nil {
		c.log.Log(log.Alert, err, "dup2(STDERR) failed")
	}
}

// initModules runs the modules' OnInit.
func (c *Cycle) initModules() error {
	c.Events.announce(c)
	for _, f := range c.hooks.init {
		if err := f(); err != nil {
			return c.report(err)
		}
	}
	return nil
}

// Replaces tells, while the modules are initialized, whether the cycle takes the place of one that is in use.
func (c *Cycle) Replaces() bool { return c.old != nil }

// commit lets go of what only the old cycle used.
func (c *Cycle) commit(old *Cycle) {
	if old == nil {
		return
	}
	for _, ls := range old.listening {
		if ls.remain || ls.FD < 0 {
			continue
		}
		c.closeSocket(ls)
		if ls.Addr.Unix != "" {
			c.log.Log(log.Warn, nil, "deleting socket %s", ls.Addr.Unix)
			c.unlink(ls.Addr.Unix)
		}
	}
	switch {
	case c.single:
		old.release(c)
	case old.log != nil:
		freeZones(old.zones, c.zones, closeZone)
		old.Files.Flush()
		old.closeLogs(c.log)
	}
	c.old = nil
}

// release leaves memory and logs to the connections and timers of the cycle,
// which go on in this process with what they have; they go with the last one.
func (c *Cycle) release(next *Cycle) {
	freeZones(c.zones, next.zones, (*shm.Zone).Release)
	c.Files.Flush()
	c.Files.Release()
	for _, out := range c.outputs {
		out.Close() // until the next message
	}
}

// rollback undoes what a cycle that fails has opened.
func (c *Cycle) rollback(old *Cycle) {
	c.closeLogs(c.parseLog)
	var staying []*Zone
	if old != nil {
		staying = old.zones
	}
	freeZones(c.zones, staying, closeZone)
	for _, ls := range c.listening {
		if ls.ours {
			c.closeSocket(ls)
			if ls.Addr.Unix != "" && !c.Conf.Test {
				c.unlink(ls.Addr.Unix)
			}
		}
	}
}

// closeListening closes every socket that the server still listens on. It also
// removes the files of unix domain sockets, whose descriptors a graceful end of
// the only process has closed already, when remove says that no other binary
// uses them.
func (c *Cycle) closeListening(remove func(ls *Listening) bool) {
	for _, ls := range c.listening {
		c.closeSocket(ls)
		if ls.Addr.Unix != "" && remove(ls) {
			c.unlink(ls.Addr.Unix)
		}
	}
	c.listening = nil
}

// bootstrapLog is the path of the log before the configuration is read.
func (o *CommandLine) bootstrapLog() string {
	if o.ErrorLog == "" || o.ErrorLog[0] == '/' {
		return o.ErrorLog
	}
	return o.Prefix + o.ErrorLog
}

// DefaultErrorLog is the ErrorLog of a command line without -e.
func DefaultErrorLog() string {
	if build.ErrorLogPath == "stderr" {
		return ""
	}
	return build.ErrorLogPath
}
