package process

import (
	"cmp"
	"errors"
	"os"
	"os/user"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/build"
)

// Core is what the directives of the main context say about the processes
// (ngx_core_conf_t).
type Core struct {
	Daemon, Master   conf.Opt[bool]
	TimerResolution  conf.Opt[time.Duration]
	ShutdownTimeout  conf.Opt[time.Duration]
	WorkingDirectory conf.Opt[string]
	DebugPoints      conf.Opt[int]

	// Pid and Lock are full paths once the configuration is complete.
	Pid, Lock conf.Opt[string]

	// Workers is the number of worker processes.
	Workers conf.Opt[int64]
	// Priority is the nice value of the workers.
	Priority int
	Affinity Affinity

	// RlimitNofile and RlimitCore are unset when the system's limits stay.
	RlimitNofile, RlimitCore conf.Opt[int64]

	// User is whom the workers run as; unset when the master is not root.
	User conf.Opt[Account]
	// Transparent lets the workers keep CAP_NET_RAW, which binding to a
	// foreign address takes: "proxy_bind … transparent" sets it.
	Transparent bool

	// Env are the arguments of the env directives, "NAME" or "NAME=value".
	Env []string

	loaded map[string]bool // what load_module has loaded
}

// Account is a user and the group that processes take.
type Account struct {
	Name     string
	UID, GID int
}

// OldPid is where the pid file of the old binary is during an upgrade.
func (c *Core) OldPid() string { return c.Pid.V + ".oldbin" }

// What debug_points says.
const (
	DebugPointsNone = iota
	DebugPointsStop
	DebugPointsAbort
)

var coreSlot = &conf.Slot[Core]{}

// CoreModule has the directives of the main context that concern processes
// (ngx_core_module).
var CoreModule = &conf.Module{
	Name:  "core",
	Slots: []conf.AnySlot{coreSlot},
	Directives: []conf.Directive{
		coreSlot.Flag("daemon", conf.Main, func(c *Core) *conf.Opt[bool] { return &c.Daemon }, true),
		coreSlot.Flag("master_process", conf.Main, func(c *Core) *conf.Opt[bool] { return &c.Master }, true),
		coreSlot.Msec("timer_resolution", conf.Main,
			func(c *Core) *conf.Opt[time.Duration] { return &c.TimerResolution }, 0),
		coreSlot.Str("pid", conf.Main, func(c *Core) *conf.Opt[string] { return &c.Pid }, build.PidPath),
		coreSlot.Str("lock_file", conf.Main, func(c *Core) *conf.Opt[string] { return &c.Lock }, build.LockPath),
		conf.Value(coreSlot, "worker_processes", conf.Main, conf.Take1,
			func(c *Core) *conf.Opt[int64] { return &c.Workers }, 1, parseWorkers),
		coreSlot.Enum("debug_points", conf.Main, func(c *Core) *conf.Opt[int] { return &c.DebugPoints },
			DebugPointsNone, []conf.Word{{Name: "stop", Value: DebugPointsStop}, {Name: "abort", Value: DebugPointsAbort}}),
		coreSlot.Custom("user", conf.Main, conf.Take12, setUser),
		coreSlot.Custom("worker_priority", conf.Main, conf.Take1, setPriority),
		coreSlot.Custom("worker_cpu_affinity", conf.Main, conf.OneMore, setAffinity),
		coreSlot.Num("worker_rlimit_nofile", conf.Main,
			func(c *Core) *conf.Opt[int64] { return &c.RlimitNofile }, 0),
		coreSlot.Offset("worker_rlimit_core", conf.Main,
			func(c *Core) *conf.Opt[int64] { return &c.RlimitCore }, 0),
		coreSlot.Msec("worker_shutdown_timeout", conf.Main,
			func(c *Core) *conf.Opt[time.Duration] { return &c.ShutdownTimeout }, 0),
		coreSlot.Str("working_directory", conf.Main,
			func(c *Core) *conf.Opt[string] { return &c.WorkingDirectory }, ""),
		coreSlot.Custom("env", conf.Main, conf.Take1, setEnv),
		coreSlot.Custom("load_module", conf.Main, conf.Take1, loadModule),
	},
}

// CoreOf returns the processes' configuration of a cycle.
func CoreOf(c *conf.Cycle) *Core { return coreSlot.Of(c.Scope) }

func parseWorkers(cf *conf.Conf) (int64, error) {
	if cf.Args[0] == "auto" {
		return int64(runtime.NumCPU()), nil
	}
	n, ok := conf.ParseInt(cf.Args[0])
	if !ok {
		return 0, errors.New("invalid value")
	}
	return n, nil
}

func setUser(cf *conf.Conf, c *Core) error {
	if c.User.Set {
		return conf.ErrDuplicate
	}
	if os.Geteuid() != 0 {
		cf.Warnf(`the "user" directive makes sense only if the master process runs with super-user privileges, ignored`)
		return nil
	}
	a, err := account(cf.Args[0], cf.Args[len(cf.Args)-1])
	if err != nil {
		return cf.Errorf("%s", err)
	}
	c.User.Put(a)
	return nil
}

// account looks a user and a group up in the system's files.
func account(name, group string) (Account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return Account{}, errors.New(`getpwnam("` + name + `") failed`)
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return Account{}, errors.New(`getgrnam("` + group + `") failed`)
	}
	uid, uerr := strconv.Atoi(u.Uid)
	gid, gerr := strconv.Atoi(g.Gid)
	return Account{Name: name, UID: uid, GID: gid}, errors.Join(uerr, gerr)
}

// defaultAccount is the user that the binary was built with.
func defaultAccount() (Account, error) {
	group := build.Group
	if group == "" {
		u, err := user.Lookup(build.User)
		if err != nil {
			return Account{}, errors.New(`getpwnam("` + build.User + `") failed`)
		}
		if g, err := user.LookupGroupId(u.Gid); err == nil {
			group = g.Name
		}
	}
	return account(build.User, group)
}

func setPriority(cf *conf.Conf, c *Core) error {
	if c.Priority != 0 {
		return conf.ErrDuplicate
	}
	digits, minus := strings.CutPrefix(cf.Args[0], "-")
	if !minus {
		digits = strings.TrimPrefix(digits, "+")
	}
	n, ok := conf.ParseInt(digits)
	if !ok || n > 1<<16 {
		return errors.New("invalid number")
	}
	c.Priority = int(n)
	if minus {
		c.Priority = -c.Priority
	}
	return nil
}

func setEnv(cf *conf.Conf, c *Core) error {
	c.Env = append(c.Env, cf.Args[0])
	return nil
}

// loadModule accepts the shared objects of modules that are part of this
// binary. It can load no others; packages have every site load a module that
// few use, so one that is known makes a warning, and its directives, if there
// are any, the error.
func loadModule(cf *conf.Conf, c *Core) error {
	if cf.Cycle.BlockSeen() {
		return errors.New("is specified too late")
	}
	file := cf.Cycle.Path(cf.Args[0])
	object := path.Base(file)
	name := strings.TrimSuffix(object, ".so")
	builtIn := slices.ContainsFunc(cf.Cycle.Registry.Modules, func(m *conf.Module) bool { return slices.Contains(m.Objects, object) })
	switch {
	case !builtIn && !conf.KnownObject(object):
		return cf.Errorf(`dlopen() "%s" failed (the module is not built into moongate, which cannot load shared objects)`, file)
	case c.loaded[object]:
		return cf.Errorf(`module "%s" is already loaded`, name)
	case !builtIn:
		cf.Warnf(`module "%s" is not built into moongate, which refuses its directives`, name)
	}
	if c.loaded == nil {
		c.loaded = make(map[string]bool)
	}
	c.loaded[object] = true
	return nil
}

// complete makes the paths full, gives the workers a user and says what does
// not fit together (ngx_core_module_init_conf).
func (c *Core) complete(e *Cycle) error {
	if n := len(c.Affinity.masks); !c.Affinity.auto && n > 1 && int64(n) != c.Workers.V {
		e.parseLog.Log(warn, nil, `the number of "worker_processes" is not equal to the number of "worker_cpu_affinity" masks, `+
			`using last mask for remaining worker processes`)
	}
	c.Pid.V = e.Conf.Path(cmp.Or(c.Pid.V, build.PidPath))
	c.Lock.V = e.Conf.Path(cmp.Or(c.Lock.V, build.LockPath))
	if !c.User.Set && os.Geteuid() == 0 {
		a, err := defaultAccount()
		if err != nil {
			return err
		}
		c.User.Put(a)
	}
	return nil
}

// debugPoint stops or aborts this process where debug_points asks for it
// (ngx_debug_point). The signal goes to this thread, which runs no further; that
// of Go's runtime would show goroutines instead of aborting.
func (c *Core) debugPoint() {
	sig := unix.SIGSTOP
	switch c.DebugPoints.V {
	case DebugPointsStop:
	case DebugPointsAbort:
		sig = unix.SIGABRT
		var byDefault [4]uint64 // struct sigaction, whose mask has 8 bytes
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
	default:
		return
	}
	runtime.LockOSThread()
	unix.Tgkill(os.Getpid(), unix.Gettid(), sig)
}
