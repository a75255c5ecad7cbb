package vm

import (
	"errors"
	"io/fs"
	"syscall"

	lua "github.com/yuin/gopher-lua"
)

// Null is the light userdata that stands for SQL and JSON null: ngx.null and cjson.null.
var Null = &lua.LUserData{Metatable: lua.LNil}

// openLibs opens the standard libraries.
func (v *VM) openLibs() {
	v.openPackage()
	v.openBase()
	v.openString()
	v.openTable()
	v.openMath()
	v.openBit()
	v.openOS()
	v.openIO()
	v.openCoroutine()
	v.openDebug()
	v.openJIT()
	v.openBuffer()
}

// errnoOf is the error number of a failed system call.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
	case errors.Is(err, fs.ErrNotExist):
		errno = syscall.ENOENT
	case errors.Is(err, fs.ErrClosed):
		errno = syscall.EBADF
	}
	return errno
}

// errnoText is the text of an error number as C writes it.
func errnoText(err error) string {
	errno := errnoOf(err)
	if errno == 0 {
		return err.Error()
	}
	text := errno.Error()
	if text != "" && text[0] >= 'a' && text[0] <= 'z' {
		text = string(text[0]-'a'+'A') + text[1:]
	}
	return text
}
