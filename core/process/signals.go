package process

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// handled are the signals that master and workers act on, with the names that
// messages give them (ngx_process.c).
var handled = map[unix.Signal]string{
	unix.SIGHUP:   "SIGHUP",
	unix.SIGUSR1:  "SIGUSR1",
	unix.SIGWINCH: "SIGWINCH",
	unix.SIGTERM:  "SIGTERM",
	unix.SIGQUIT:  "SIGQUIT",
	unix.SIGUSR2:  "SIGUSR2",
	unix.SIGINT:   "SIGINT",
	unix.SIGALRM:  "SIGALRM",
	unix.SIGIO:    "SIGIO",
	unix.SIGCHLD:  "SIGCHLD",
}

// received describes a signal as the log does: "signal 1 (SIGHUP) received
// from 4711, reconfiguring".
func received(sig unix.Signal, action string) string {
	from := ""
	if pid := senderOf(sig); pid != 0 {
		from = fmt.Sprintf(" from %d", pid)
	}
	return fmt.Sprintf("signal %d (%s) received%s%s", int(sig), handled[sig], from, action)
}

// notify delivers the handled signals to a channel. The Go runtime does not
// say who sent one, so a handler of ours goes before the runtime's: it keeps
// si_pid and jumps on.
func notify() <-chan os.Signal {
	c := make(chan os.Signal, 64)
	for sig := range handled {
		signal.Notify(c, sig)
		interpose(sig)
	}
	// Writing to a closed pipe is to be an error only. Ignored, the signal
	// would be ignored in every program that a module starts, too.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	return c
}

// unblockSignals executes this binary again when it was started with signals
// blocked, as nginx does with the new binary of an upgrade. All threads of a
// Go program keep the mask that it was started with, and so would whatever it
// starts.
func unblockSignals() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var none, old unix.Sigset_t
	if unix.PthreadSigmask(unix.SIG_SETMASK, &none, &old) != nil || old == none {
		return
	}
	unix.Exec("/proc/self/exe", os.Args, os.Environ())
}

// senders has the process that sent each signal last; sender fills it.
var senders [32]uint32

// senderOf is the process that sent the signal last, 0 for the kernel.
func senderOf(sig unix.Signal) uint32 { return atomic.LoadUint32(&senders[sig]) }

// runtimeHandler is the Go runtime's handler, the same for all signals.
var runtimeHandler uintptr

// senderPC is the address of sender, a signal handler in assembly: it is
// called by the kernel on a stack that may belong to any goroutine.
var senderPC uintptr

// sigaction is the kernel's struct sigaction on amd64 and arm64.
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// interpose puts sender before the runtime's handler of a signal. When the
// kernel refuses, messages lack the sender and nothing else changes.
func interpose(sig unix.Signal) {
	var sa sigaction
	if rtSigaction(sig, nil, &sa) != 0 || sa.handler == senderPC {
		return
	}
	if runtimeHandler != 0 && runtimeHandler != sa.handler {
		return
	}
	runtimeHandler = sa.handler
	sa.handler = senderPC
	rtSigaction(sig, &sa, nil)
}

func rtSigaction(sig unix.Signal, act, old *sigaction) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(act)),
		uintptr(unsafe.Pointer(old)), unsafe.Sizeof(sa64), 0, 0)
	return errno
}

// sa64 has the size of the kernel's signal set.
var sa64 uint64
