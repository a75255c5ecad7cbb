package api

import (
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/log"
	"moongate/core/regex"
	"moongate/lua/vm"
)

var regexFuncs = []Func{
	{"re.match", anywhere, reMatch},
	{"re.find", anywhere, reFind},
	{"re.gmatch", anywhere, reGmatch},
	{"re.sub", anywhere, func(c *Ctx, l *lua.LState) int { return c.reSub(l, false) }},
	{"re.gsub", anywhere, func(c *Ctx, l *lua.LState) int { return c.reSub(l, true) }},
}

// regexes are the compiled patterns of a worker. Those compiled with "o" stay, up to lua_regex_cache_max_entries; the
// others are kept for a while, as compiling is dear.
type regexes struct {
	vm     *regex.VM
	once   map[reKey]*regex.Regex
	recent map[reKey]*regex.Regex
	warned bool
	// iterator is the metatable of gmatch's iterators.
	iterator *lua.LTable
	// vectors are offsets for matches, one for each nested use.
	vectors [][]int
}

type reKey struct {
	pattern string
	options regex.Options
}

// maxRecent bounds the patterns that are kept without "o".
const maxRecent = 256

// reFlags are the letters of the options.
var reFlags = [256]regex.Options{
	'a': regex.Anchored, 'd': regex.DFA, 'D': regex.DupNames, 'i': regex.Caseless, 'J': regex.JavaScript,
	'm': regex.Multiline, 's': regex.DotAll, 'u': regex.UTF, 'U': regex.NoUTFCheck, 'x': regex.Extended,
}

// pattern is a regular expression as a script gives it.
type pattern struct {
	key  reKey
	once bool
}

// readPattern reads the pattern at argument n and the options at argument o. What is no string raises what resty.core's
// Lua code raises.
func readPattern(l *lua.LState, n, o int) (p pattern) {
	opts := ""
	switch v := l.Get(o).(type) {
	case lua.LString:
		opts = string(v)
	case *lua.LTable: // of no length
	default:
		if lua.LVAsBool(v) {
			vm.Errorf(l, "attempt to get length of local 'opts' (a %s value)", v.Type())
		}
	}
	for i := range len(opts) {
		switch c := opts[i]; {
		case c == 'o':
			p.once = true
		case c == 'j':
		case reFlags[c] != 0:
			p.key.options |= reFlags[c]
		default:
			vm.Errorf(l, "%s", `unknown flag "`+string(c)+`" (flags "`+opts+`")`)
		}
	}
	s, ok := l.Get(n).(lua.LString)
	if !ok {
		vm.Errorf(l, "attempt to get length of local 'regex' (a %s value)", l.Get(n).Type())
	}
	p.key.pattern = string(s)
	return p
}

// subject is argument n as a string.
func subject(l *lua.LState, n int) string {
	v := l.Get(n)
	if s, ok := vm.ToString(v); ok {
		return s
	}
	return vm.ThreadOf(l).VM().Display(l, v)
}

// get compiles a pattern, or finds it. The result is good until Lua code runs again.
func (c *Ctx) getRegex(p pattern) (*regex.Regex, error) {
	x := &c.Engine.regex
	if re := x.once[p.key]; re != nil {
		return re, nil
	}
	if re := x.recent[p.key]; re != nil {
		return re, nil
	}
	if x.vm == nil {
		x.vm = regex.NewVM(regex.Limits{Match: uint32(c.Main.RegexMatchLimit.V)})
		x.once, x.recent = map[reKey]*regex.Regex{}, map[reKey]*regex.Regex{}
	}
	re, err := x.vm.Compile(p.key.pattern, p.key.options)
	if err != nil {
		return nil, err
	}
	p.key.pattern = strings.Clone(p.key.pattern)
	if p.once && int64(len(x.once)) < c.Main.RegexCacheMax.V {
		x.once[p.key] = re
		return re, nil
	}
	if p.once && !x.warned {
		x.warned = true
		c.Logf(log.Warn, "lua exceeding regex cache max entries (%d)", c.Main.RegexCacheMax.V)
	}
	if len(x.recent) >= maxRecent {
		for _, old := range x.recent {
			old.Close()
		}
		clear(x.recent)
	}
	x.recent[p.key] = re
	return re, nil
}

// vector takes a vector with room for the groups of re.
func (x *regexes) vector(re *regex.Regex) []int {
	n := 2 * (re.NumGroups() + 1)
	if k := len(x.vectors); k > 0 && cap(x.vectors[k-1]) >= n {
		v := x.vectors[k-1]
		x.vectors = x.vectors[:k-1]
		return v[:n]
	}
	return make([]int, n, max(n, 32))
}

func (x *regexes) putVector(v []int) {
	if len(x.vectors) < 8 {
		x.vectors = append(x.vectors, v)
	}
}

// found is a match: the offsets of its groups.
type found struct {
	re   *regex.Regex
	subj string
	vec  []int
	// dup: names may stand for several groups ("D").
	dup bool
}

// exec matches; ok is false when there is no match or, with a text, when matching failed.
func (c *Ctx) exec(p pattern, subj string, pos int) (m found, ok bool, err string) {
	re, cerr := c.getRegex(p)
	if cerr != nil {
		return m, false, cerr.Error()
	}
	if pos > len(subj) {
		return m, false, "pcre_exec() failed: -33" // PCRE2_ERROR_BADOFFSET
	}
	m = found{re, subj, c.Engine.regex.vector(re), p.key.options&regex.DupNames != 0}
	switch n := re.MatchString(subj, pos, m.vec); {
	case n == regex.NoMatch:
		c.Engine.regex.putVector(m.vec)
		return m, false, ""
	case n < 0:
		c.Engine.regex.putVector(m.vec)
		return m, false, "pcre_exec() failed: " + strconv.Itoa(n)
	}
	return m, true, ""
}

// group is group n, false when it took no part.
func (m *found) group(n int) lua.LValue {
	if 2*n+1 >= len(m.vec) || m.vec[2*n] < 0 {
		return lua.LFalse
	}
	return lua.LString(m.subj[m.vec[2*n]:m.vec[2*n+1]])
}

// table fills t, or a new table, with the groups by number and by name.
func (m *found) table(l *lua.LState, t *lua.LTable) *lua.LTable {
	if t == nil {
		t = vm.NewTable(m.re.NumGroups(), len(m.re.Names()))
	}
	for i := 0; i <= m.re.NumGroups(); i++ {
		vm.SetIndex(t, i, m.group(i))
	}
	for _, name := range m.re.Names() {
		m.named(l, t, name)
	}
	return t
}

// named adds the groups of a name: the last one, or with "D" a list of those that took part. A match with "d" has none.
func (m *found) named(l *lua.LState, t *lua.LTable, name regex.Name) {
	if !m.dup {
		if n := name.Numbers[len(name.Numbers)-1]; n <= m.re.NumGroups() {
			vm.SetString(t, name.Name, m.group(n))
		}
		return
	}
	for _, n := range name.Numbers {
		if v := m.group(n); v != lua.LFalse {
			list, ok := t.RawGetString(name.Name).(*lua.LTable)
			if !ok {
				list = vm.NewTable(4, 0)
				t.RawSetString(name.Name, list)
			}
			list.Append(v)
		}
	}
}

// position is where the table at argument n says to begin.
func position(l *lua.LState, n int) (*lua.LTable, int) {
	v := l.Get(n)
	if !lua.LVAsBool(v) {
		return nil, 0
	}
	t, ok := v.(*lua.LTable)
	if !ok {
		vm.Errorf(l, "attempt to index local 'ctx' (a %s value)", v.Type())
	}
	switch pos := t.RawGetString("pos").(type) {
	case lua.LNumber:
		return t, max(vm.ToInt(float64(pos))-1, 0)
	default:
		if lua.LVAsBool(pos) {
			vm.Errorf(l, "attempt to compare %s with number", pos.Type())
		}
		return t, 0
	}
}

// reMatch is ngx.re.match(subject, regex, options?, ctx?, res?).
func reMatch(c *Ctx, l *lua.LState) int {
	subj := subject(l, 1)
	p := readPattern(l, 2, 3)
	ctx, pos := position(l, 4)
	m, ok, err := c.exec(p, subj, pos)
	if !ok {
		return noMatch(l, 1, err)
	}
	res, ok := l.Get(5).(*lua.LTable)
	if v := l.Get(5); !ok && lua.LVAsBool(v) {
		c.Engine.regex.putVector(m.vec)
		vm.Errorf(l, "attempt to index local 'res' (a %s value)", v.Type())
	}
	if ctx != nil {
		ctx.RawSetString("pos", lua.LNumber(m.vec[1]+1))
	}
	t := m.table(l, res)
	c.Engine.regex.putVector(m.vec)
	return ret(l, t)
}

// noMatch returns n times nil, and the error if there is one.
func noMatch(l *lua.LState, n int, err string) int {
	for range n {
		l.Push(lua.LNil)
	}
	if err == "" {
		return n
	}
	l.Push(lua.LString(err))
	return n + 1
}

// reFind is ngx.re.find(subject, regex, options?, ctx?, nth?).
func reFind(c *Ctx, l *lua.LState) int {
	subj := subject(l, 1)
	p := readPattern(l, 2, 3)
	ctx, pos := position(l, 4)
	nth := 0
	switch v := l.Get(5).(type) {
	case lua.LNumber:
		nth = max(vm.ToInt(float64(v)), 0)
	default:
		if lua.LVAsBool(v) {
			vm.Errorf(l, "attempt to compare %s with number", v.Type())
		}
	}
	m, ok, err := c.exec(p, subj, pos)
	switch {
	case ok:
	case err == "":
		return noMatch(l, 1, err)
	default:
		return noMatch(l, 2, err)
	}
	defer c.Engine.regex.putVector(m.vec)
	if ctx != nil {
		ctx.RawSetString("pos", lua.LNumber(m.vec[1]+1))
	}
	switch {
	case nth > m.re.NumGroups():
		return noMatch(l, 2, "nth out of bound")
	case m.vec[2*nth] < 0:
		return noMatch(l, 2, "")
	}
	l.Push(vm.Number(m.vec[2*nth] + 1))
	l.Push(vm.Number(m.vec[2*nth+1]))
	return 2
}

// matches is an iterator of gmatch.
type matches struct {
	pattern
	subj string
	// pos is where the next match may begin; it is negative after the last one.
	pos int
}

// reGmatch is ngx.re.gmatch(subject, regex, options?). The iterator is a table that can be called, as resty.core's.
func reGmatch(c *Ctx, l *lua.LState) int {
	it := &matches{subj: subject(l, 1), pattern: readPattern(l, 2, 3)}
	if _, err := c.getRegex(it.pattern); err != nil {
		return fail(l, err.Error())
	}
	if c.Engine.regex.iterator == nil {
		c.Engine.regex.iterator = vm.NewTable(0, 1)
		c.Engine.regex.iterator.RawSetString("__call", l.NewFunction(nextMatch))
	}
	t := vm.NewTable(0, 1)
	t.RawSetString("_compiled", &lua.LUserData{Value: it, Metatable: lua.LNil})
	t.Metatable = c.Engine.regex.iterator
	return ret(l, t)
}

// nextMatch calls an iterator of gmatch: a table of groups, or nil.
func nextMatch(l *lua.LState) int {
	c := ctxOf(l)
	u, _ := vm.CheckTable(l, 1).RawGetString("_compiled").(*lua.LUserData)
	if u == nil {
		return ret(l, lua.LNil)
	}
	it, ok := u.Value.(*matches)
	if !ok || it.pos < 0 {
		return ret(l, lua.LNil)
	}
	m, ok, err := c.exec(it.pattern, it.subj, it.pos)
	if !ok {
		it.pos = -1
		return noMatch(l, 1, err)
	}
	if it.pos = m.vec[1]; it.pos == m.vec[0] {
		if it.pos++; it.pos > len(it.subj) {
			it.pos = -1
		}
	}
	t := m.table(l, nil)
	c.Engine.regex.putVector(m.vec)
	return ret(l, t)
}
