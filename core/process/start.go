package process

import (
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/build"
	"moongate/core/log"
	"moongate/parser"
)

// Main does what the command line asks for and returns the exit status; a
// server that starts in the foreground ends the process itself.
func Main(o *CommandLine) int {
	unblockSignals()
	if command() == "exe" {
		setCommand(path.Base(os.Args[0]))
	}
	env := log.NewEnv()
	l := log.Bootstrap(env, o.bootstrapLog())
	if o.Test {
		l = log.New(env, log.NewFileOutput(l.File(), log.Info))
	}
	switch {
	case o.Signal != "":
		return o.sendSignal(l)
	case o.Test:
		return o.test(l)
	}
	d := takeDaemon()
	if d == nil && os.Getenv(upgradeVariable) == "" && o.wantsDaemon() {
		return detach(l)
	}
	return o.serve(l, d)
}

// RunChild runs the worker or helper that this process is, if it is one; then
// it does not return.
func RunChild(reg *conf.Registry) {
	if v, ok := takeVariable(childVariable); ok {
		os.Exit(runChild(reg, v))
	}
}

// serve starts the server in this process.
func (o *CommandLine) serve(l *log.Logger, d *daemon) int {
	m := &master{
		options: o, title: takeTitle(), command: command(), environ: os.Environ(), parent: os.Getppid(),
		ready: make(chan int, 16),
	}
	var before *Cycle
	sockets, inherited := takeInherited(l)
	if inherited {
		before = &Cycle{listening: sockets}
	}
	o.starting(l)
	c := newCycle(o, newRecorder(o.Source), l, nil)
	if c.load() != nil || c.open(before) != nil {
		return 1
	}
	m.cycle, m.daemonized = c, inherited || d != nil
	c.status()
	m.signals = notify()
	if c.createPid() != nil {
		return 1
	}
	c.redirectStderr()
	l.Env().Console = false
	closeBootstrap(l)
	c.parseLog = c.log
	d.succeeded()
	if c.single = !c.Core.Master.V; c.single {
		return m.single()
	}
	m.run()
	return 0
}

func (o *CommandLine) starting(l *log.Logger) {
	if o.Starting != nil {
		o.Starting(l)
	}
}

// reload makes a new cycle beside the one in use. It fails, having logged why,
// without having changed anything.
func (o *CommandLine) reload(old *Cycle) (*Cycle, error) {
	c := newCycle(o, newRecorder(o.Source), old.log, old)
	if err := c.load(); err != nil {
		return nil, err
	}
	if err := c.open(old); err != nil {
		return nil, err
	}
	c.redirectStderr()
	c.parseLog = c.log
	return c, nil
}

// closeBootstrap closes the log of the time before the configuration.
func closeBootstrap(l *log.Logger) {
	if fd := l.File().FD(); fd != unix.Stderr {
		unix.Close(fd)
	}
}

// status logs what the server is and where it runs (ngx_os_status).
func (c *Cycle) status() {
	c.log.Log(log.Notice, nil, "nginx/%s (moongate %s)", build.NginxVersion, build.Version)
	c.log.Log(log.Notice, nil, "built by %s", runtime.Version())
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		c.log.Log(log.Notice, nil, "OS: %s %s", unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]))
	}
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err == nil {
		c.log.Log(log.Notice, nil, "getrlimit(RLIMIT_NOFILE): %d:%d", int64(lim.Cur), int64(lim.Max))
	}
}

// test is -t and -T.
func (o *CommandLine) test(l *log.Logger) int {
	sockets, inherited := takeInherited(l)
	var before *Cycle
	if inherited {
		before = &Cycle{listening: sockets}
	}
	o.starting(l)
	c := newCycle(o, newRecorder(o.Source), l, nil)
	if c.load() != nil || c.open(before) != nil {
		log.Console(nil, "configuration file %s test failed", o.File)
		return 1
	}
	if !o.Quiet {
		log.Console(nil, "configuration file %s test is successful", o.File)
	}
	if o.Dump {
		if err := c.Conf.Dump(os.Stdout); err != nil {
			return 1
		}
	}
	return 0
}

// sendSignal is -s: the running server is found by its pid file.
func (o *CommandLine) sendSignal(l *log.Logger) int {
	c := newCycle(o, newRecorder(o.Source), l, nil)
	if c.load() != nil {
		return 1
	}
	l.Log(log.Notice, nil, "signal process started")
	pid, err := readPid(c.Core.Pid.V)
	if err != nil {
		l.Log(log.Error, errors.Unwrap(err), "%s", err)
		return 1
	}
	sig := map[string]unix.Signal{
		"stop": unix.SIGTERM, "quit": unix.SIGQUIT, "reopen": unix.SIGUSR1, "reload": unix.SIGHUP,
	}[o.Signal]
	if err := unix.Kill(pid, sig); err != nil {
		l.Log(log.Alert, err, "kill(%d, %d) failed", pid, int(sig))
		return 1
	}
	return 0
}

// wantsDaemon looks for "daemon off" where it can stand: in the main context.
// Whatever is wrong with the configuration is for the reading of it to report,
// in the foreground.
func (o *CommandLine) wantsDaemon() bool {
	p := peek{src: o.Source, prefix: o.ConfPrefix, daemon: true}
	p.block(parser.ParseParam(o.Param))
	p.file(o.File)
	return p.daemon && !p.broken
}

type peek struct {
	src            parser.Source
	prefix         string
	depth          int
	daemon, broken bool
}

// maxPeek bounds the nesting of includes.
const maxPeek = 32

func (p *peek) file(name string) {
	src, err := p.src.ReadFile(name)
	if err != nil || p.depth == maxPeek {
		p.broken = true
		return
	}
	p.depth++
	p.block(parser.Parse(name, src))
	p.depth--
}

func (p *peek) block(b *parser.Block) {
	for _, d := range b.Items {
		if p.broken {
			return // a file that includes itself twice would be read 2^maxPeek times
		}
		switch {
		case d.Name == "daemon" && len(d.Args) == 1:
			p.daemon = d.Args[0] != "off"
		case d.Name == "include" && len(d.Args) == 1 && d.Block == nil:
			name := d.Args[0]
			if name == "" || name[0] != '/' {
				name = p.prefix + name
			}
			names, err := parser.Expand(p.src, name)
			p.broken = p.broken || err != nil
			for i := 0; i < len(names) && !p.broken; i++ {
				p.file(names[i])
			}
		}
	}
	p.broken = p.broken || b.Err != nil
}

// pidError says what is wrong with a pid file.
type pidError struct {
	text string
	err  error
}

func (e *pidError) Error() string { return e.text }
func (e *pidError) Unwrap() error { return e.err }

func badPid(number, file string) error {
	return &pidError{text: fmt.Sprintf(`invalid PID number "%s" in "%s"`, number, file)}
}
