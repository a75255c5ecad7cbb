package process

import (
	"bytes"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// titlePrefix starts the title of every process of the server, whatever the
// binary is called: users look for "nginx: master process".
const titlePrefix = "nginx: "

// titleRoom is how many bytes the arguments of a child occupy, so that a title
// may grow after the process has started.
const titleRoom = 128

// title is the memory that the kernel shows as the command line of this
// process: the strings of argv and, behind them, those of the environment,
// which the Go runtime has copied (ngx_setproctitle.c).
type title struct{ area []byte }

// takeTitle moves the arguments to the heap and returns the memory that they
// leave. It must be called once, before any other part of the program keeps a
// string of os.Args.
func takeTitle() *title {
	if len(os.Args) == 0 {
		return &title{}
	}
	args := os.Args
	start := unsafe.StringData(args[0])
	size := 0
	for _, a := range args {
		size += len(a) + 1
	}
	os.Args = make([]string, len(args))
	for i, a := range args {
		os.Args[i] = strings.Clone(a)
	}
	return &title{area: unsafe.Slice(start, size+environSize())}
}

// environSize is the room of the environment's strings behind the arguments.
// What this process itself has set since lies elsewhere and is not counted.
func environSize() int {
	b, err := os.ReadFile("/proc/self/environ")
	if err != nil {
		return 0
	}
	return len(b)
}

// set replaces the title; one that does not fit is cut.
func (t *title) set(text string) {
	if len(t.area) == 0 {
		return
	}
	n := copy(t.area[:len(t.area)-1], titlePrefix+text)
	clear(t.area[n:])
}

// childArgs are the arguments of a child process that start its title.
func childArgs(name string) []string {
	text := titlePrefix + name
	args := []string{text}
	for range titleRoom - len(text) {
		args = append(args, "")
	}
	return args
}

// setCommand names the process as the kernel's short command name does, which
// is "exe" after the execution of /proc/self/exe.
func setCommand(name string) {
	fd, err := unix.Open("/proc/self/comm", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	unix.Write(fd, []byte(name))
	unix.Close(fd)
}

// command is the short name of this process.
func command() string {
	b, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		return "nginx"
	}
	return string(bytes.TrimRight(b, "\n"))
}
