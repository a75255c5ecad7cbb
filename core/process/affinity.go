package process

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/log"
)

// Affinity is what worker_cpu_affinity says: one mask a worker, or with auto
// one processor a worker out of a mask.
type Affinity struct {
	auto  bool
	masks []cpuMask
}

// cpuMask has the number of each processor that it allows, ascending.
type cpuMask []int

// maxCPU is the number of processors that a kernel mask has (CPU_SETSIZE).
const maxCPU = 1024

func setAffinity(cf *conf.Conf, c *Core) error {
	a := &c.Affinity
	if a.masks != nil {
		return conf.ErrDuplicate
	}
	args := cf.Args
	if args[0] == "auto" {
		if len(args) > 2 {
			return cf.Errorf(`invalid number of arguments in "worker_cpu_affinity" directive`)
		}
		a.auto = true
		all := make(cpuMask, min(runtime.NumCPU(), maxCPU))
		for i := range all {
			all[i] = i
		}
		a.masks = []cpuMask{all}
		args = args[1:]
	}
	for _, arg := range args {
		m, err := parseMask(cf, arg)
		if err != nil {
			return err
		}
		a.masks = append(a.masks, m)
	}
	return nil
}

// parseMask reads a mask of zeros and ones, the lowest processor last.
func parseMask(cf *conf.Conf, s string) (cpuMask, error) {
	if len(s) > maxCPU {
		return nil, cf.Errorf(`"worker_cpu_affinity" supports up to %d CPUs only`, maxCPU)
	}
	m := cpuMask{}
	cpu := 0
	for i := len(s) - 1; i >= 0; i-- {
		switch s[i] {
		case ' ':
			continue
		case '0':
		case '1':
			m = append(m, cpu)
		default:
			return nil, cf.Errorf(`invalid character "%c" in "worker_cpu_affinity"`, s[i])
		}
		cpu++
	}
	return m, nil
}

// of returns the mask of the n-th worker, nil when it may run anywhere
// (ngx_get_cpu_affinity).
func (a *Affinity) of(n int) cpuMask {
	if len(a.masks) == 0 {
		return nil
	}
	last := a.masks[len(a.masks)-1]
	switch {
	case a.auto && len(last) == 0:
		return nil
	case a.auto:
		return cpuMask{last[n%len(last)]}
	case n < len(a.masks):
		return a.masks[n]
	}
	return last
}

func (m cpuMask) String() string {
	var b strings.Builder
	for i, cpu := range m {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("#" + strconv.Itoa(cpu))
	}
	return b.String()
}

// bind restricts every thread of this process to the processors. Threads that
// the runtime starts later inherit that from those that start them.
func (m cpuMask) bind() error {
	var set unix.CPUSet
	for _, cpu := range m {
		set.Set(cpu)
	}
	return eachThread(func(tid int) error { return unix.SchedSetaffinity(tid, &set) })
}

// Unbind lets a process that a worker has started run on all processors.
func (w *Worker) Unbind(pid int) {
	if w.ID < 0 || w.Cycle.Core.Affinity.of(w.ID) == nil {
		return
	}
	var set unix.CPUSet
	for cpu := range len(set) * 64 {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(pid, &set); err != nil {
		w.Cycle.log.Log(log.Warn, err, "sched_setaffinity() of process %d failed", pid)
	}
}

// eachThread calls f for each thread of this process. Linux keeps priority and
// affinity for each thread; a second pass finds the threads that were started
// during the first.
func eachThread(f func(tid int) error) error {
	var first error
	for range 2 {
		entries, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, e := range entries {
			tid, err := strconv.Atoi(e.Name())
			if err != nil {
				continue
			}
			if err := f(tid); err != nil && err != unix.ESRCH && first == nil {
				first = err
			}
		}
	}
	return first
}
