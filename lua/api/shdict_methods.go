package api

import (
	lua "github.com/yuin/gopher-lua"

	"moongate/lua/shdict"
	"moongate/lua/vm"
)

// msecNow is the time as dictionaries have it.
func msecNow(l *lua.LState) int64 { return ctxOf(l).now().UnixMilli() }

// msec is a number of seconds from Lua in milliseconds.
func msec(seconds float64) int64 { return inSeconds(seconds).Milliseconds() }

// dictKey is argument 2; a key that cannot be one comes with the reason.
func dictKey(l *lua.LState) (key, reason string) {
	switch k := l.Get(2).(type) {
	case lua.LString:
		key = string(k)
	case *lua.LNilType:
		return "", "nil key"
	default:
		key = vm.ThreadOf(l).VM().Display(l, k)
	}
	switch {
	case key == "":
		return "", "empty key"
	case len(key) > shdict.MaxKey:
		return "", "key too long"
	}
	return key, ""
}

// listKey is dictKey for the functions of lists, which are stricter.
func listKey(l *lua.LState) (key, reason string) {
	if l.Get(2) != lua.LNil {
		vm.CheckString(l, 2)
	}
	return dictKey(l)
}

// given tells arguments from those left out, nil or false.
func given(l *lua.LState, n int) bool { return lua.LVAsBool(l.Get(n)) }

func pushValue(l *lua.LState, v *shdict.Value) {
	switch v.Kind {
	case shdict.String:
		l.Push(lua.LString(v.Str))
	case shdict.Number:
		l.Push(vm.Number(v.Num))
	case shdict.Boolean:
		l.Push(lua.LBool(v.Num != 0))
	default:
		l.Push(lua.LNil)
	}
}

// dictGet is value, flags = dict:get(key).
func dictGet(d *shdict.Dict, l *lua.LState) int {
	key, reason := dictKey(l)
	if reason != "" {
		return fail(l, reason)
	}
	v, flags, _, err := d.Get(key, msecNow(l), false)
	if err != nil {
		return fail(l, err.Error())
	}
	pushValue(l, &v)
	if flags == 0 {
		return 1
	}
	l.Push(vm.Number(flags))
	return 2
}

// dictGetStale is value, flags, stale = dict:get_stale(key).
func dictGetStale(d *shdict.Dict, l *lua.LState) int {
	key, reason := dictKey(l)
	if reason != "" {
		return fail(l, reason)
	}
	v, flags, stale, err := d.Get(key, msecNow(l), true)
	if err != nil {
		return fail(l, err.Error())
	}
	pushValue(l, &v)
	if v.Kind == shdict.Nil {
		return 1
	}
	if flags != 0 {
		l.Push(vm.Number(flags))
	} else {
		l.Push(lua.LNil)
	}
	l.Push(lua.LBool(stale))
	return 3
}

// dictStore is ok, err, forcible = dict:set(key, value, exptime?, flags?) and its kind.
func dictStore(op shdict.Op) func(d *shdict.Dict, l *lua.LState) int {
	return func(d *shdict.Dict, l *lua.LState) int {
		var ttl, flags float64
		if given(l, 4) {
			if ttl = vm.CheckNumber(l, 4); ttl < 0 {
				vm.Errorf(l, `bad "exptime" argument`)
			}
		}
		if given(l, 5) {
			flags = vm.CheckNumber(l, 5)
		}
		return store(d, l, op, l.Get(3), msec(ttl), int32(flags))
	}
}

func dictDelete(d *shdict.Dict, l *lua.LState) int { return store(d, l, shdict.Set, lua.LNil, 0, 0) }

func store(d *shdict.Dict, l *lua.LState, op shdict.Op, value lua.LValue, ttl int64, flags int32) int {
	key, reason := dictKey(l)
	if reason != "" {
		return fail(l, reason)
	}
	var v shdict.Value
	switch x := value.(type) {
	case lua.LString:
		v = shdict.Value{Kind: shdict.String, Str: string(x)}
	case lua.LNumber:
		v = shdict.Value{Kind: shdict.Number, Num: float64(x)}
	case lua.LBool:
		v.Kind = shdict.Boolean
		if x {
			v.Num = 1
		}
	case *lua.LNilType:
	default:
		return fail(l, "bad value type")
	}
	forcible, err := d.Store(op, key, v, ttl, msecNow(l), flags)
	if err != nil {
		l.Push(lua.LFalse)
		l.Push(lua.LString(err.Error()))
	} else {
		l.Push(lua.LTrue)
		l.Push(lua.LNil)
	}
	l.Push(lua.LBool(forcible))
	return 3
}

// numberOption is argument n, a number if it is given at all.
func numberOption(l *lua.LState, n int, name string) float64 {
	v, ok := vm.ToNumber(l.Get(n))
	if !ok {
		vm.Errorf(l, "bad %s arg: number expected, got %s", name, vm.TypeName(l.Get(n)))
	}
	return v
}

// dictIncr is value, err, forcible = dict:incr(key, value, init?, init_ttl?).
func dictIncr(d *shdict.Dict, l *lua.LState) int {
	key, reason := dictKey(l)
	if reason != "" {
		return fail(l, reason)
	}
	delta, ok := vm.ToNumber(l.Get(3))
	if !ok {
		vm.Errorf(l, "cannot convert 'nil' to 'double'")
	}
	var init *float64
	if given(l, 4) {
		n := numberOption(l, 4, "init")
		init = &n
	}
	var ttl float64
	if l.Get(5) != lua.LNil {
		if ttl = numberOption(l, 5, "init_ttl"); ttl < 0 {
			vm.Errorf(l, `bad "init_ttl" argument`)
		}
		if init == nil {
			vm.Errorf(l, `must provide "init" when providing "init_ttl"`)
		}
	}
	sum, forcible, err := d.Incr(key, delta, init, msec(ttl), msecNow(l))
	if err != nil {
		return fail(l, err.Error())
	}
	l.Push(vm.Number(sum))
	if init == nil {
		return 1
	}
	l.Push(lua.LNil)
	l.Push(lua.LBool(forcible))
	return 3
}

func dictTTL(d *shdict.Dict, l *lua.LState) int {
	key, reason := dictKey(l)
	if reason != "" {
		return fail(l, reason)
	}
	ttl, err := d.TTL(key, msecNow(l))
	if err != nil {
		return fail(l, err.Error())
	}
	return ret(l, vm.Number(float64(ttl)/1000))
}

func dictExpire(d *shdict.Dict, l *lua.LState) int {
	if !given(l, 3) {
		vm.Errorf(l, `bad "exptime" argument`)
	}
	key, reason := dictKey(l)
	if reason != "" {
		return fail(l, reason)
	}
	if err := d.Expire(key, msec(vm.CheckNumber(l, 3)), msecNow(l)); err != nil {
		return fail(l, err.Error())
	}
	return ret(l, lua.LTrue)
}

func dictFlushAll(d *shdict.Dict, l *lua.LState) int {
	d.FlushAll(msecNow(l))
	return 0
}

// optionalCount is the only argument, beside the dictionary, of functions that take a limit.
func optionalCount(l *lua.LState, def int) int {
	switch n := l.GetTop(); n {
	case 1:
		return def
	case 2:
		return vm.CheckInt(l, 2)
	default:
		vm.Errorf(l, "expecting 1 or 2 argument(s), but saw %d", n)
		return 0
	}
}

func dictFlushExpired(d *shdict.Dict, l *lua.LState) int {
	return ret(l, vm.Number(d.FlushExpired(optionalCount(l, 0), msecNow(l))))
}

// defaultKeys is how many keys get_keys returns without a limit.
const defaultKeys = 1024

func dictGetKeys(d *shdict.Dict, l *lua.LState) int {
	keys := d.Keys(optionalCount(l, defaultKeys), msecNow(l))
	t := vm.NewTable(len(keys), 0)
	for _, k := range keys {
		t.Append(lua.LString(k))
	}
	return ret(l, t)
}

func dictPush(end shdict.End) func(d *shdict.Dict, l *lua.LState) int {
	return func(d *shdict.Dict, l *lua.LState) int {
		listArguments(l, 3)
		key, reason := listKey(l)
		if reason != "" {
			return fail(l, reason)
		}
		var v shdict.Value
		switch x := l.Get(3).(type) {
		case lua.LString:
			v = shdict.Value{Kind: shdict.String, Str: string(x)}
		case lua.LNumber:
			v = shdict.Value{Kind: shdict.Number, Num: float64(x)}
		default:
			return fail(l, "bad value type")
		}
		n, err := d.Push(end, key, v, msecNow(l))
		if err != nil {
			return fail(l, err.Error())
		}
		return ret(l, vm.Number(n))
	}
}

func listArguments(l *lua.LState, want int) {
	if n := l.GetTop(); n != want {
		vm.Errorf(l, "expecting %d arguments, but only seen %d", want, n)
	}
}

func dictPop(end shdict.End) func(d *shdict.Dict, l *lua.LState) int {
	return func(d *shdict.Dict, l *lua.LState) int {
		listArguments(l, 2)
		key, reason := listKey(l)
		if reason != "" {
			return fail(l, reason)
		}
		v, err := d.Pop(end, key, msecNow(l))
		if err != nil {
			return fail(l, err.Error())
		}
		pushValue(l, &v)
		return 1
	}
}

func dictLen(d *shdict.Dict, l *lua.LState) int {
	listArguments(l, 2)
	key, reason := listKey(l)
	if reason != "" {
		return fail(l, reason)
	}
	n, err := d.Len(key, msecNow(l))
	if err != nil {
		return fail(l, err.Error())
	}
	return ret(l, vm.Number(n))
}
