package process

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"moongate/core/log"
)

// capNetRaw is the bit of CAP_NET_RAW, which binding to a foreign address
// takes.
const capNetRaw = 1 << unix.CAP_NET_RAW

// confine makes a worker what the configuration wants it to be: its limits,
// its user, its processors, its folder (ngx_worker_process_init).
func (w *Worker) confine(keepRoot bool) error {
	l, core := w.Cycle.log, w.Cycle.Core
	if w.ID >= 0 && core.Priority != 0 {
		err := eachThread(func(tid int) error { return unix.Setpriority(unix.PRIO_PROCESS, tid, core.Priority) })
		if err != nil {
			l.Log(log.Alert, err, "setpriority(%d) failed", core.Priority)
		}
	}
	setLimit(l, core.RlimitNofile.Set, unix.RLIMIT_NOFILE, "RLIMIT_NOFILE", core.RlimitNofile.V)
	setLimit(l, core.RlimitCore.Set, unix.RLIMIT_CORE, "RLIMIT_CORE", core.RlimitCore.V)
	if os.Geteuid() == 0 && core.User.Set && !keepRoot {
		if err := w.dropRoot(core); err != nil {
			return err
		}
	}
	if m := core.Affinity.of(w.ID); w.ID >= 0 && m != nil {
		l.Log(log.Notice, nil, "sched_setaffinity(): using cpu %s", m)
		if err := m.bind(); err != nil {
			l.Log(log.Alert, err, "sched_setaffinity() failed")
		}
	}
	// Without it a process that changed its user leaves no core dump.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		l.Log(log.Alert, err, "prctl(PR_SET_DUMPABLE) failed")
	}
	if dir := core.WorkingDirectory.V; dir != "" {
		if err := unix.Chdir(dir); err != nil {
			l.Log(log.Alert, err, `chdir("%s") failed`, dir)
			return errReported
		}
	}
	return nil
}

func setLimit(l *log.Logger, set bool, resource int, name string, value int64) {
	if !set {
		return
	}
	// The Go runtime restores a limit of its own for the processes it starts
	// unless it learns of the change.
	if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: uint64(value), Max: uint64(value)}); err != nil {
		l.Log(log.Alert, err, "setrlimit(%s, %d) failed", name, value)
	}
}

// dropRoot gives up the rights of the super-user for good.
func (w *Worker) dropRoot(core *Core) error {
	l, a := w.Cycle.log, core.User.V
	fatal := func(err error, what string) error {
		l.Log(log.Emerg, err, "%s failed", what)
		return errReported
	}
	if err := syscall.Setgid(a.GID); err != nil {
		return fatal(err, fmt.Sprintf("setgid(%d)", a.GID))
	}
	if err := syscall.Setgroups(groupsOf(a)); err != nil {
		l.Log(log.Emerg, err, "initgroups(%s, %d) failed", a.Name, a.GID)
	}
	transparent := core.Transparent && a.UID != 0
	if transparent {
		if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0); errno != 0 {
			return fatal(errno, "prctl(PR_SET_KEEPCAPS, 1)")
		}
	}
	if err := syscall.Setuid(a.UID); err != nil {
		return fatal(err, fmt.Sprintf("setuid(%d)", a.UID))
	}
	if transparent {
		if err := keepNetRaw(); err != nil {
			return fatal(err, "capset()")
		}
	}
	return nil
}

// keepNetRaw gives up every capability of all threads but CAP_NET_RAW.
func keepNetRaw() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: capNetRaw, Permitted: capNetRaw}}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// groupsOf are the groups of a user, as initgroups(3) finds them.
func groupsOf(a Account) []int {
	groups := []int{a.GID}
	u, err := user.LookupId(strconv.Itoa(a.UID))
	if err != nil {
		return groups
	}
	ids, err := u.GroupIds()
	if err != nil {
		return groups
	}
	// The group that the user's own entry names is replaced by the one that
	// the user directive gives.
	for _, id := range ids {
		if g, err := strconv.Atoi(id); err == nil && g != a.GID && id != u.Gid {
			groups = append(groups, g)
		}
	}
	return groups
}
