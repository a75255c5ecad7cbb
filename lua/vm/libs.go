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
	lua.OpenString(v.L)
	lua.OpenTable(v.L)
	lua.OpenMath(v.L)
	lua.OpenIo(v.L)
	lua.OpenOs(v.L)
	v.openCoroutine()
	v.openDebug()
}

// errnoText is the text of an error number as C writes it.
func errnoText(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		if errors.Is(err, fs.ErrNotExist) {
			errno = syscall.ENOENT
		} else {
			return err.Error()
		}
	}
	text := errno.Error()
	if text != "" && text[0] >= 'a' && text[0] <= 'z' {
		text = string(text[0]-'a'+'A') + text[1:]
	}
	return text
}
