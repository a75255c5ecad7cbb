package vm

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	lua "github.com/yuin/gopher-lua"
)

// file is the value of a Lua file handle. Writes are not buffered: nothing would flush a handle the program forgets.
// All of io blocks the worker, as it does in OpenResty.
type file struct {
	f   *os.File
	r   *bufio.Reader
	cmd *exec.Cmd // of popen
	std bool      // stdin, stdout or stderr: not closed
}

// ioLib is the state of the library: its default files.
type ioLib struct {
	meta          *lua.LTable
	input, output *lua.LUserData
}

func (v *VM) openIO() {
	lib := &ioLib{meta: NewTable(0, 4)}
	t := v.library("io", map[string]lua.LGFunction{
		"open": lib.open, "close": lib.close, "read": lib.read, "write": lib.write, "lines": lib.lines,
		"input": lib.setInput, "output": lib.setOutput, "type": ioType, "tmpfile": lib.tmpfile, "popen": lib.popen,
		"flush": lib.flush,
	})
	methods := NewTable(0, 4)
	v.register(methods, map[string]lua.LGFunction{
		"close": fileClose, "read": fileRead, "write": fileWrite, "lines": fileLines, "seek": fileSeek,
		"flush": fileFlush, "setvbuf": fileSetvbuf,
	})
	lib.meta.RawSetString("__index", methods)
	v.register(lib.meta, map[string]lua.LGFunction{"__tostring": fileToString})
	std := func(name string, f *os.File) *lua.LUserData {
		ud := lib.handle(v.L, &file{f: f, std: true})
		t.RawSetString(name, ud)
		return ud
	}
	lib.input, lib.output = std("stdin", os.Stdin), std("stdout", os.Stdout)
	std("stderr", os.Stderr)
}

func (lib *ioLib) handle(l *lua.LState, f *file) *lua.LUserData {
	ud := l.NewUserData()
	ud.Value, ud.Metatable = f, lib.meta
	return ud
}

func (f *file) reader() *bufio.Reader {
	if f.r == nil {
		f.r = bufio.NewReader(f.f)
	}
	return f.r
}

// fileArg is argument n, an open file.
func fileArg(l *lua.LState, n int) *file {
	ud, ok := l.Get(n).(*lua.LUserData)
	if !ok {
		TypeError(l, n, "FILE*")
	}
	return openFile(l, ud, n)
}

func openFile(l *lua.LState, ud *lua.LUserData, n int) *file {
	f, ok := ud.Value.(*file)
	if !ok {
		TypeError(l, n, "FILE*")
	}
	if f.f == nil {
		Errorf(l, "attempt to use a closed file")
	}
	return f
}

// openModes are the modes of fopen.
var openModes = map[string]int{
	"r": os.O_RDONLY, "w": os.O_WRONLY | os.O_CREATE | os.O_TRUNC, "a": os.O_WRONLY | os.O_CREATE | os.O_APPEND,
	"r+": os.O_RDWR, "w+": os.O_RDWR | os.O_CREATE | os.O_TRUNC, "a+": os.O_RDWR | os.O_CREATE | os.O_APPEND,
}

func openMode(mode string) (int, bool) {
	if n := len(mode); n > 1 && mode[n-1] == 'b' {
		mode = mode[:n-1]
	} else if n == 3 && mode[1] == 'b' {
		mode = mode[:1] + mode[2:]
	}
	flags, ok := openModes[mode]
	return flags, ok
}

func (lib *ioLib) open(l *lua.LState) int {
	name, mode := CheckString(l, 1), OptString(l, 2, "r")
	flags, ok := openMode(mode)
	if !ok {
		return pushResult(l, syscall.EINVAL, name)
	}
	f, err := os.OpenFile(name, flags, 0o666)
	if err != nil {
		return pushResult(l, err, name)
	}
	l.Push(lib.handle(l, &file{f: f}))
	return 1
}

func (lib *ioLib) tmpfile(l *lua.LState) int {
	f, err := os.CreateTemp("", "lua_")
	if err != nil {
		return pushResult(l, err, "")
	}
	os.Remove(f.Name())
	l.Push(lib.handle(l, &file{f: f}))
	return 1
}

func (lib *ioLib) popen(l *lua.LState) int {
	name, mode := CheckString(l, 1), OptString(l, 2, "r")
	r, w, err := os.Pipe()
	if err != nil {
		return pushResult(l, err, name)
	}
	cmd := exec.Command("/bin/sh", "-c", name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	ours, theirs := r, w
	switch mode {
	case "r":
		cmd.Stdout = w
	case "w":
		cmd.Stdin = r
		ours, theirs = w, r
	default:
		r.Close()
		w.Close()
		ArgError(l, 2, "invalid mode")
	}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		ours.Close()
		return pushResult(l, err, name)
	}
	l.Push(lib.handle(l, &file{f: ours, cmd: cmd}))
	return 1
}

func ioType(l *lua.LState) int {
	ud, _ := CheckAny(l, 1).(*lua.LUserData)
	if ud != nil {
		if f, ok := ud.Value.(*file); ok {
			if f.f == nil {
				l.Push(lua.LString("closed file"))
			} else {
				l.Push(lua.LString("file"))
			}
			return 1
		}
	}
	l.Push(lua.LNil)
	return 1
}

func (f *file) close(l *lua.LState) int {
	if f.std {
		return pushResult(l, nil, "")
	}
	err := f.f.Close()
	f.f, f.r = nil, nil
	if f.cmd == nil {
		return pushResult(l, err, "")
	}
	err = f.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return pushResult(l, err, "")
	}
	return pushExit(l, f.cmd.ProcessState)
}

func fileClose(l *lua.LState) int { return fileArg(l, 1).close(l) }

func (lib *ioLib) close(l *lua.LState) int {
	if l.GetTop() == 0 {
		return openFile(l, lib.output, 1).close(l)
	}
	return fileClose(l)
}

func fileToString(l *lua.LState) int {
	ud, _ := l.Get(1).(*lua.LUserData)
	f, ok := ud.Value.(*file)
	if ok && f.f != nil {
		l.Push(lua.LString(fmt.Sprintf("file (%p)", f)))
	} else {
		l.Push(lua.LString("file (closed)"))
	}
	return 1
}

func fileRead(l *lua.LState) int { return readFormats(l, fileArg(l, 1), 2) }

func (lib *ioLib) read(l *lua.LState) int { return readFormats(l, openFile(l, lib.input, 1), 1) }

// readFormats reads what the arguments from place `first` on ask for.
func readFormats(l *lua.LState, f *file, first int) int {
	if l.GetTop() < first {
		l.Push(lua.LString("*l"))
	}
	last := l.GetTop()
	n := 0
	for i := first; i <= last; i++ {
		value, err := f.readOne(l, i)
		if err != nil && err != io.EOF {
			return pushResult(l, err, "")
		}
		n++
		if err == io.EOF {
			l.Push(lua.LNil)
			break
		}
		l.Push(value)
	}
	return n
}

// readOne reads one format; io.EOF when there is nothing.
func (f *file) readOne(l *lua.LState, arg int) (lua.LValue, error) {
	r := f.reader()
	if n, ok := l.Get(arg).(lua.LNumber); ok {
		if n == 0 {
			_, err := r.Peek(1)
			return lua.LString(""), err
		}
		b := make([]byte, min(max(int(n), 0), ThreadOf(l).vm.opts.MaxString))
		got, err := io.ReadFull(r, b)
		if err == io.ErrUnexpectedEOF {
			err = nil
		}
		return lua.LString(b[:got]), err
	}
	format := CheckString(l, arg)
	if format != "" && format[0] == '*' {
		format = format[1:]
	}
	if format == "" {
		ArgError(l, arg, "invalid format")
	}
	switch format[0] {
	case 'n':
		return readNumber(r)
	case 'a':
		b, err := io.ReadAll(r)
		return lua.LString(b), err
	case 'l', 'L':
		return readLine(r, format[0] == 'L')
	}
	ArgError(l, arg, "invalid format")
	return nil, nil
}

func readLine(r *bufio.Reader, keep bool) (lua.LValue, error) {
	s, err := r.ReadString('\n')
	if err == io.EOF && s != "" {
		err = nil
	}
	if n := len(s); !keep && n > 0 && s[n-1] == '\n' {
		s = s[:n-1]
	}
	return lua.LString(s), err
}

// readNumber reads as fscanf("%lf") does; nil when there is no number.
func readNumber(r *bufio.Reader) (lua.LValue, error) {
	var n float64
	if _, err := fmt.Fscan(r, &n); err != nil {
		return lua.LNil, io.EOF
	}
	return lua.LNumber(n), nil
}

func fileWrite(l *lua.LState) int {
	f := fileArg(l, 1)
	return f.write(l, 2, l.Get(1))
}

func (lib *ioLib) write(l *lua.LState) int {
	return openFile(l, lib.output, 1).write(l, 1, lib.output)
}

func (f *file) write(l *lua.LState, first int, self lua.LValue) int {
	var b []byte
	for i, n := first, l.GetTop(); i <= n; i++ {
		b = append(b, CheckString(l, i)...)
	}
	if _, err := f.f.Write(b); err != nil {
		return pushResult(l, err, "")
	}
	l.Push(self)
	return 1
}

// fileLines is file:lines(...).
func fileLines(l *lua.LState) int { return pushLines(l, fileArg(l, 1), 2, false) }

func (lib *ioLib) lines(l *lua.LState) int {
	if l.Get(1) == lua.LNil {
		return pushLines(l, openFile(l, lib.input, 1), 2, false)
	}
	name := CheckString(l, 1)
	f, err := os.Open(name)
	if err != nil {
		ArgError(l, 1, name+": "+errnoText(err))
	}
	return pushLines(l, &file{f: f}, 2, true)
}

// pushLines pushes an iterator over f with the formats from place `first` on.
func pushLines(l *lua.LState, f *file, first int, closing bool) int {
	formats := make([]lua.LValue, 0, 1)
	for i, n := first, l.GetTop(); i <= n; i++ {
		formats = append(formats, l.Get(i))
	}
	l.Push(l.NewFunction(func(l *lua.LState) int {
		if f.f == nil {
			Errorf(l, "file is already closed")
		}
		l.SetTop(0)
		for _, format := range formats {
			l.Push(format)
		}
		n := readFormats(l, f, 1)
		if closing && l.Get(l.GetTop()-n+1) == lua.LNil {
			f.f.Close()
			f.f = nil
		}
		return n
	}))
	return 1
}

func fileSeek(l *lua.LState) int {
	f := fileArg(l, 1)
	whence := CheckOption(l, 2, "cur", "set", "cur", "end")
	offset := int64(OptNumber(l, 3, 0))
	if f.r != nil {
		if whence == io.SeekCurrent {
			offset -= int64(f.r.Buffered())
		}
		f.r = nil
	}
	pos, err := f.f.Seek(offset, whence)
	if err != nil {
		return pushResult(l, err, "")
	}
	l.Push(Number(pos))
	return 1
}

func fileFlush(l *lua.LState) int {
	fileArg(l, 1)
	l.Push(lua.LTrue)
	return 1
}

func (lib *ioLib) flush(l *lua.LState) int {
	openFile(l, lib.output, 1)
	l.Push(lua.LTrue)
	return 1
}

func fileSetvbuf(l *lua.LState) int {
	fileArg(l, 1)
	CheckOption(l, 2, "", "no", "full", "line")
	l.Push(lua.LTrue)
	return 1
}

func (lib *ioLib) setInput(l *lua.LState) int {
	return lib.setDefault(l, &lib.input, os.O_RDONLY)
}

func (lib *ioLib) setOutput(l *lua.LState) int {
	return lib.setDefault(l, &lib.output, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
}

// setDefault is io.input and io.output: the default file is set from a name or a handle, and returned.
func (lib *ioLib) setDefault(l *lua.LState, def **lua.LUserData, flags int) int {
	if name, ok := ToString(l.Get(1)); ok {
		f, err := os.OpenFile(name, flags, 0o666)
		if err != nil {
			Errorf(l, "%s", name+": "+errnoText(err))
		}
		*def = lib.handle(l, &file{f: f})
	} else if l.Get(1) != lua.LNil {
		fileArg(l, 1)
		*def = l.Get(1).(*lua.LUserData)
	}
	l.Push(*def)
	return 1
}
