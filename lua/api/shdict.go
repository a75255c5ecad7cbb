package api

import (
	lua "github.com/yuin/gopher-lua"

	"moongate/conf"
	"moongate/core/process"
	"moongate/lua/shdict"
	"moongate/lua/vm"
)

// Dict is a shared dictionary: a zone that lua_shared_dict declares.
type Dict struct {
	Name string
	Zone *process.Zone
	// store is what the zone holds, from the time on that its memory is there.
	store *shdict.Dict
}

// minDict is the least size of a shared dictionary in bytes.
const minDict = 8191

// dictTag marks the zones of shared dictionaries.
type dictTag struct{}

// sharedDict is "lua_shared_dict name size".
func sharedDict(cf *conf.Conf, m *MainConf) error {
	name := cf.Args[0]
	if name == "" {
		return cf.Errorf(`invalid lua shared dict name "%s"`, name)
	}
	size, ok := conf.ParseSize(cf.Args[1])
	if !ok || size <= minDict {
		return cf.Errorf(`invalid lua shared dict size "%s"`, cf.Args[1])
	}
	for _, d := range m.Dicts {
		if d.Name == name {
			return cf.Errorf(`lua_shared_dict "%s" is already defined as "%s"`, name, name)
		}
	}
	z, err := process.Of(cf.Cycle).AddZone(cf, name, size, dictTag{})
	if err != nil {
		return err
	}
	d := &Dict{Name: name, Zone: z}
	z.Init, z.Data = d.attach, d
	m.Dicts = append(m.Dicts, d)
	return nil
}

// attach opens the dictionary once its zone has memory.
func (d *Dict) attach(z *process.Zone, old any) (err error) {
	d.store, err = shdict.New(z.Shm, old == nil && !z.Exists)
	return err
}

// openShared makes ngx.shared: a table for each dictionary, which holds it at index 1. A VM that runs beside the loop
// has to go through twins of its own.
func (e *Engine) openShared(v *vm.VM, ngx *lua.LTable, twins bool) {
	methods := vm.NewTable(0, len(dictMethods))
	methods.RawSetString("__index", methods)
	for _, m := range dictMethods {
		methods.RawSetString(m.name, v.L.NewFunction(m.function()))
	}
	shared := vm.NewTable(0, len(e.Main.Dicts))
	for _, d := range e.Main.Dicts {
		if twins {
			d = &Dict{Name: d.Name, Zone: d.Zone, store: d.store.Twin()}
		}
		t := vm.NewTable(1, 0)
		t.RawSetInt(1, &lua.LUserData{Value: d, Env: v.Globals(), Metatable: lua.LNil})
		t.Metatable = methods
		shared.RawSetString(d.Name, t)
	}
	ngx.RawSetString("shared", shared)
}

// dictMethod is a method of shared dictionaries; the dictionary is argument 1.
type dictMethod struct {
	name string
	call func(d *shdict.Dict, l *lua.LState) int
}

var dictMethods = []dictMethod{
	{"get", dictGet},
	{"get_stale", dictGetStale},
	{"set", dictStore(shdict.Set)},
	{"safe_set", dictStore(shdict.Safe)},
	{"add", dictStore(shdict.Add)},
	{"safe_add", dictStore(shdict.Add | shdict.Safe)},
	{"replace", dictStore(shdict.Replace)},
	{"delete", dictDelete},
	{"incr", dictIncr},
	{"lpush", dictPush(shdict.Left)},
	{"rpush", dictPush(shdict.Right)},
	{"lpop", dictPop(shdict.Left)},
	{"rpop", dictPop(shdict.Right)},
	{"llen", dictLen},
	{"ttl", dictTTL},
	{"expire", dictExpire},
	{"flush_all", dictFlushAll},
	{"flush_expired", dictFlushExpired},
	{"get_keys", dictGetKeys},
	{"capacity", func(d *shdict.Dict, l *lua.LState) int { return ret(l, vm.Number(d.Capacity())) }},
	{"free_space", func(d *shdict.Dict, l *lua.LState) int { return ret(l, vm.Number(d.FreeSpace())) }},
}

func (m *dictMethod) function() lua.LGFunction {
	call := m.call
	return func(l *lua.LState) int {
		if t, ok := l.Get(1).(*lua.LTable); ok {
			if u, ok := t.RawGetInt(1).(*lua.LUserData); ok {
				if d, ok := u.Value.(*Dict); ok && d.store != nil {
					return call(d.store, l)
				}
			}
		}
		vm.Errorf(l, `bad "zone" argument`)
		return 0
	}
}
