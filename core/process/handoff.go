package process

import (
	"encoding/json"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"moongate/core/log"
)

// Variables of the environment by which processes of the server know what
// they are. Each is removed as soon as it was read.
const (
	// childVariable has the descriptor of a worker's or helper's handoff.
	childVariable = "MOONGATE_CHILD"
	// daemonVariable has the descriptor on which the detached server tells
	// the command that started it how that went.
	daemonVariable = "MOONGATE_DAEMON"
	// profileVariable has the name of a file that workers write a CPU
	// profile to; the worker's pid is appended.
	profileVariable = "MOONGATE_CPUPROFILE"
)

// handoff is what the master tells a worker or helper: what it is, the command
// line, and which descriptor is what. The configuration itself is in the
// snapshot, which all processes of a cycle share.
type handoff struct {
	Name string // "worker process", "cache manager process"
	ID   int    // number of the worker; -1 in helpers

	Command                  string // the kernel's short name of the process
	Prefix, ConfPrefix, File string
	Param, ErrorLog          string
	Daemonized               bool

	Snapshot, Channel, Shared, ErrorFD int

	Logs    []handedFile
	Sockets []handedSocket
	Zones   []handedFile
}

type handedFile struct {
	Name string
	FD   int
}

type handedSocket struct {
	Type   int
	Addr   string
	Worker int
	FD     int
}

// descriptors assigns the numbers that descriptors get in a new process: the
// index in the list.
type descriptors []uintptr

// firstFree is the number of the first descriptor behind the standard ones.
const firstFree = 3

func newDescriptors() descriptors { return descriptors{0, 1, 2} }

func (d *descriptors) add(fd int) int {
	*d = append(*d, uintptr(fd))
	return len(*d) - 1
}

// handoff describes the cycle to a new process and lists the descriptors it
// is to get.
func (c *Cycle) handoff(h *handoff, snapshot, channel int) (descriptors, error) {
	o := c.options
	h.Prefix, h.ConfPrefix, h.File, h.Param, h.ErrorLog = o.Prefix, o.ConfPrefix, o.File, o.Param, o.ErrorLog
	d := newDescriptors()
	state := d.add(0) // the handoff's own place, filled in below
	h.Snapshot, h.Channel, h.Shared = d.add(snapshot), d.add(channel), d.add(c.sharedZone.Fd())
	h.ErrorFD = unix.Stderr
	main := c.log.File()
	for _, f := range c.Files.All() {
		if f.Name == "" {
			continue
		}
		fd := d.add(f.FD())
		h.Logs = append(h.Logs, handedFile{f.Name, fd})
		if f == main {
			h.ErrorFD = fd
		}
	}
	for _, z := range c.zones {
		h.Zones = append(h.Zones, handedFile{z.Name, d.add(z.Shm.Fd())})
	}
	if h.ID >= 0 {
		for _, ls := range c.listening {
			if ls.FD >= 0 && (!ls.Reuseport || ls.Worker == h.ID) {
				h.Sockets = append(h.Sockets, handedSocket{ls.Type, ls.Addr.String(), ls.Worker, d.add(ls.FD)})
			}
		}
	}
	b, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	fd, err := memoryFile("handoff", b)
	if err != nil {
		return nil, err
	}
	d[state] = uintptr(fd)
	return d, nil
}

// readHandoff takes over what the master has left at a descriptor.
func readHandoff(variable string) (*handoff, error) {
	fd, err := strconv.Atoi(variable)
	if err != nil {
		return nil, err
	}
	b, err := mapFile(fd)
	if err != nil {
		return nil, err
	}
	unix.Close(fd)
	h := new(handoff)
	if err := json.Unmarshal(b, h); err != nil {
		return nil, err
	}
	unix.Munmap(b)
	for _, fd := range []int{h.Snapshot, h.Channel, h.Shared} {
		unix.CloseOnExec(fd)
	}
	for _, f := range h.Logs {
		unix.CloseOnExec(f.FD)
	}
	for _, z := range h.Zones {
		unix.CloseOnExec(z.FD)
	}
	for _, s := range h.Sockets {
		unix.CloseOnExec(s.FD)
	}
	return h, nil
}

// attach gives a cycle that a worker has read from the snapshot what the
// master has opened.
func (c *Cycle) attach(h *handoff) error {
	c.addDefaultLog()
	for _, f := range c.Files.All() {
		for _, given := range h.Logs {
			if given.Name == f.Name {
				f.SetFD(given.FD)
			}
		}
	}
	if err := c.openLogs(); err != nil {
		return err
	}
	var err error
	if c.shared, c.sharedZone, err = openShared(h.Shared); err != nil {
		c.log.Log(log.Emerg, err, "opening the shared zone failed")
		return errReported
	}
	if err := c.attachZones(h.Zones); err != nil {
		return err
	}
	for _, ls := range c.listening {
		for _, s := range h.Sockets {
			if s == (handedSocket{ls.Type, ls.Addr.String(), ls.Worker, s.FD}) {
				ls.FD = s.FD
			}
		}
	}
	return nil
}

// exec executes this binary again with a handoff.
func (m *master) exec(h *handoff, channel int) (int, error) {
	d, err := m.cycle.handoff(h, m.snapshot, channel)
	if err != nil {
		return 0, err
	}
	defer unix.Close(int(d[firstFree]))
	env := append(m.cycle.Core.childEnvironment(m.environ), childVariable+"="+strconv.Itoa(firstFree))
	return syscall.ForkExec("/proc/self/exe", childArgs(h.Name), &syscall.ProcAttr{Env: env, Files: d})
}

// takeVariable reads a variable of the environment and removes it.
func takeVariable(name string) (string, bool) {
	v, ok := os.LookupEnv(name)
	os.Unsetenv(name)
	return v, ok
}
