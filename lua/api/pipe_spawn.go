package api

import (
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/log"
	"moongate/lua/vm"
)

const shell = "/bin/sh"

// Defaults of spawn: the timeouts in milliseconds, the buffer in bytes.
const (
	pipeTimeout    = lua.LNumber(10000)
	pipeBufferSize = 4096
)

// maxPipeBuffer bounds the buffer that one read fills, in bytes.
const maxPipeBuffer = 1 << 20

// pipeCommand is what to start.
type pipeCommand struct {
	file      string
	args, env []string
	merge     bool
}

// pipeSpawn is pipe.spawn(args, options?).
func pipeSpawn(c *Ctx, l *lua.LState) int {
	cmd := &pipeCommand{file: shell}
	switch v := l.Get(1).(type) {
	case lua.LString:
		cmd.args = []string{shell, "-c", cstring(string(v))}
	case *lua.LTable:
		cmd.args = pipeArgs(l, v)
		cmd.file = cmd.args[0]
	default:
		vm.Errorf(l, "bad args arg: table expected, got %s", vm.TypeName(v))
	}
	p := &pipeProc{c: c}
	size := pipeOptions(l, p, cmd)
	if reason := p.spawn(cmd, size); reason != "" {
		return fail(l, reason)
	}
	c.owned.add(p)
	if c.procs == nil {
		c.Engine.procs = map[int]*pipeProc{}
	}
	c.procs[p.pid] = p
	return ret(l, &lua.LUserData{Value: p, Metatable: l.G.Registry.RawGetString(procClass)})
}

// pipeArgs are the arguments in a table, which become strings there, too.
func pipeArgs(l *lua.LState, t *lua.LTable) (args []string) {
	for i := 1; ; i++ {
		v := t.RawGetInt(i)
		if v == lua.LNil {
			break
		}
		s, ok := v.(lua.LString)
		if !ok {
			s = lua.LString(vm.ThreadOf(l).VM().Display(l, v))
			t.RawSetInt(i, s)
		}
		args = append(args, cstring(string(s)))
	}
	if len(args) == 0 {
		vm.Errorf(l, "bad args arg: non-empty table expected")
	}
	return args
}

// cstring is what C sees of a string.
func cstring(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

// pipeOptions reads the options of spawn and returns the size of the buffers.
func pipeOptions(l *lua.LState, p *pipeProc, cmd *pipeCommand) (size int) {
	size = pipeBufferSize
	if !lua.LVAsBool(l.Get(2)) {
		p.setTimeouts(l, pipeTimeout, pipeTimeout, pipeTimeout, pipeTimeout)
		return size
	}
	opts := vm.CheckTable(l, 2)
	option := func(name string) lua.LValue { return l.GetField(opts, name) }
	cmd.merge = lua.LVAsBool(option("merge_stderr"))
	if v := option("buffer_size"); lua.LVAsBool(v) {
		n, ok := vm.ToNumber(v)
		if !ok || n < 1 {
			vm.Errorf(l, "bad buffer_size option")
		}
		size = int(min(n, maxPipeBuffer))
	}
	if v := option("environ"); lua.LVAsBool(v) {
		t, ok := v.(*lua.LTable)
		if !ok {
			vm.Errorf(l, "bad environ option: table expected, got %s", vm.TypeName(v))
		}
		cmd.env = pipeEnviron(l, t)
	}
	limits := make([]lua.LValue, len(timeoutOptions))
	for i, name := range timeoutOptions {
		if limits[i] = option(name); !lua.LVAsBool(limits[i]) {
			limits[i] = pipeTimeout
		}
	}
	p.setTimeouts(l, limits...)
	return size
}

func pipeEnviron(l *lua.LState, t *lua.LTable) (env []string) {
	for i := 1; ; i++ {
		v := t.RawGetInt(i)
		if v == lua.LNil {
			return env
		}
		s, ok := v.(lua.LString)
		if !ok {
			vm.Errorf(l, "bad value at index %d of environ option: string expected, got %s", i, vm.TypeName(v))
		}
		if strings.IndexByte(string(s), '=') < 1 {
			vm.Errorf(l, "bad value at index %d of environ option: 'name=[value]' format expected, got '%s'", i, s)
		}
		env = append(env, cstring(string(s)))
	}
}

// spawn starts the process; the reason is not empty when that fails. A command that cannot be executed is no such
// failure: as after a fork, the process exists, and exits with status 1.
func (p *pipeProc) spawn(cmd *pipeCommand, size int) (reason string) {
	var fds [6]int // the read and write ends of stdin, stdout and stderr
	for i := range fds {
		fds[i] = -1
	}
	pipes := len(fds) / 2
	if cmd.merge {
		pipes--
	}
	for i := range pipes {
		if err := unix.Pipe2(fds[2*i:2*i+2], unix.O_CLOEXEC); err != nil {
			closeAll(fds[:]...)
			return "pipe failed: " + log.Strerror(err.(unix.Errno))
		}
	}
	files := []uintptr{uintptr(fds[0]), uintptr(fds[3]), uintptr(fds[3])}
	if !cmd.merge {
		files[2] = uintptr(fds[5])
	}
	pid, err := cmd.start(files)
	if err != nil {
		p.c.entryLog().Log(log.Error, err, "lua pipe child %s() failed while executing %s", cmd.call(), cmd.file)
		pid, err = syscall.ForkExec(shell, []string{shell, "-c", "exit 1"}, &syscall.ProcAttr{Files: files})
	}
	closeAll(fds[0], fds[3], fds[5])
	if err != nil {
		closeAll(fds[1], fds[2], fds[4])
		return "fork failed: " + err.Error()
	}
	p.c.Worker.Unbind(pid)
	p.pid = pid
	p.stdin, p.stdout = newPipeEnd(fds[1], 0), newPipeEnd(fds[2], size)
	if !cmd.merge {
		p.stderr = newPipeEnd(fds[4], size)
	}
	return ""
}

// newPipeEnd takes over a descriptor, the other end of which stays blocking.
func newPipeEnd(fd, size int) *pipeEnd {
	_ = unix.SetNonblock(fd, true) // it cannot fail on a pipe
	return &pipeEnd{fd: fd, size: size}
}

func closeAll(fds ...int) {
	for _, fd := range fds {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// call is the function of C that would have been called.
func (cmd *pipeCommand) call() string {
	if cmd.env != nil {
		return "execvpe"
	}
	return "execvp"
}

// start looks the command up as execvp(3) does and executes it, as a shell script when the kernel does not know it.
func (cmd *pipeCommand) start(files []uintptr) (pid int, err error) {
	env := cmd.env
	if env == nil {
		env = os.Environ()
	}
	attr := &syscall.ProcAttr{Env: env, Files: files}
	err = unix.ENOENT
	for _, path := range candidates(cmd.file) {
		pid, e := syscall.ForkExec(path, cmd.args, attr)
		switch e {
		case nil:
			return pid, nil
		case unix.ENOEXEC:
			return syscall.ForkExec(shell, append([]string{shell, path}, cmd.args[1:]...), attr)
		case unix.ENOENT, unix.ENOTDIR:
		case unix.EACCES:
			err = e // another folder may have one that can be executed
		default:
			return 0, e
		}
	}
	return 0, err
}

// searchDirs is the PATH of a server without one in its environment, as in the C library.
const searchDirs = "/bin:/usr/bin"

// candidates are the files that a command may be.
func candidates(file string) (list []string) {
	if strings.Contains(file, "/") || file == "" {
		return []string{file}
	}
	path, ok := os.LookupEnv("PATH")
	if !ok {
		path = searchDirs
	}
	for _, dir := range strings.Split(path, ":") {
		if dir == "" {
			dir = "."
		}
		list = append(list, dir+"/"+file)
	}
	return list
}
