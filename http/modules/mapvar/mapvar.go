// Package mapvar makes variables whose values depend on other ones by a table:
// nginx's ngx_http_map_module.
package mapvar

import (
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/core/names"
	"moongate/core/regex"
	"moongate/http"
	"moongate/http/wire"
)

// mainConf has the sizes of nginx's hash tables. A Go map needs none; only the
// rule that they come before the first map is kept.
type mainConf struct {
	maxSize, bucketSize conf.Opt[int64]
}

var slot = &conf.Slot[mainConf]{Level: conf.LevelMain}

const (
	defaultMaxSize    = 2048
	defaultBucketSize = 64
)

// Module is the map module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_map",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			slot.Custom("map", conf.HTTPMain, conf.Braces|conf.Take2, mapDirective),
			slot.Num("map_hash_max_size", conf.HTTPMain,
				func(c *mainConf) *conf.Opt[int64] { return &c.maxSize }, defaultMaxSize),
			slot.Num("map_hash_bucket_size", conf.HTTPMain,
				func(c *mainConf) *conf.Opt[int64] { return &c.bucketSize }, defaultBucketSize),
		},
	},
}

// table is a "map" block.
type table struct {
	source *http.Complex
	// hostnames: keys may be wildcards, and a dot at the end of the source does
	// not count.
	hostnames bool
	volatile  bool
	names     names.Table[*http.Complex]
	regexes   []regexKey
	def       *http.Complex

	// values has the values while the block is read, of which there are often
	// few.
	values map[string]*http.Complex
}

type regexKey struct {
	regex *http.Regex
	value *http.Complex
}

// mapDirective is "map source $variable { … }".
func mapDirective(cf *conf.Conf, c *mainConf) error {
	if !c.maxSize.Set {
		c.maxSize.Put(defaultMaxSize)
	}
	if !c.bucketSize.Set {
		c.bucketSize.Put(defaultBucketSize)
	}
	source, err := http.CompileArg(cf, cf.Args[0])
	if err != nil {
		return err
	}
	name, ok := strings.CutPrefix(cf.Args[1], "$")
	if !ok {
		return cf.Errorf(`invalid variable name "%s"`, cf.Args[1])
	}
	t := &table{source: source, values: make(map[string]*http.Complex)}
	v, err := http.MainOf(cf).AddVariable(cf, http.Variable{Name: name, Changeable: true, Get: get, Data: t})
	if err != nil {
		return err
	}
	if err := cf.Lines(t.line); err != nil {
		return err
	}
	v.Volatile, t.values = t.volatile, nil
	return nil
}

// line reads one line of the block.
func (t *table) line(cf *conf.Conf) error {
	if len(cf.Args) == 0 {
		switch cf.Name {
		case "hostnames":
			t.hostnames = true
			return nil
		case "volatile":
			t.volatile = true
			return nil
		}
	}
	if len(cf.Args) != 1 {
		return cf.Errorf("invalid number of the map parameters")
	}
	value, err := t.value(cf, cf.Args[0])
	if err != nil {
		return err
	}
	if cf.Name == "default" {
		if t.def != nil {
			return cf.Errorf("duplicate default map parameter")
		}
		t.def = value
		return nil
	}
	return t.add(cf, cf.Name, value)
}

func (t *table) value(cf *conf.Conf, s string) (*http.Complex, error) {
	if v := t.values[s]; v != nil {
		return v, nil
	}
	v, err := http.CompileArg(cf, s)
	if err == nil {
		t.values[s] = v
	}
	return v, err
}

// add enters a key; a backslash makes a special one ordinary.
func (t *table) add(cf *conf.Conf, key string, value *http.Complex) error {
	if pattern, ok := strings.CutPrefix(key, "~"); ok {
		var options regex.Options
		if pattern, ok = strings.CutPrefix(pattern, "*"); ok {
			options = regex.Caseless
		}
		re, err := http.MainOf(cf).CompileRegex(cf, pattern, options)
		if err != nil {
			return err
		}
		t.regexes = append(t.regexes, regexKey{re, value})
		return nil
	}
	key = strings.TrimPrefix(key, `\`)
	lower := string(wire.AppendLower(nil, key))
	var err error
	if t.hostnames {
		err = t.names.Add(lower, value)
	} else {
		err = t.names.AddExact(lower, value)
	}
	switch err {
	case names.ErrInvalid:
		return cf.Errorf(`invalid hostname or wildcard "%s"`, key)
	case names.ErrConflict:
		return cf.Errorf(`conflicting parameter "%s"`, lower)
	}
	return nil
}

// get is the getter of the variable.
func get(r *http.Request, data any) http.Value {
	t := data.(*table)
	s := t.source.Eval(r)
	if t.hostnames {
		s = strings.TrimSuffix(s, ".")
	}
	v := t.find(r, s)
	if v == nil {
		return http.Val("")
	}
	return http.Val(v.Eval(r))
}

// find finds the value for s, nil for none.
func (t *table) find(r *http.Request, s string) *http.Complex {
	if v, ok := t.static(s); ok {
		return v
	}
	if s == "" {
		return t.def
	}
	for i := range t.regexes {
		k := &t.regexes[i]
		ok, err := k.regex.Exec(r, s)
		switch {
		case err != nil:
			r.Logf(log.Alert, nil, "%s", err)
			return t.def
		case ok:
			return k.value
		}
	}
	return t.def
}

// static looks s up in any case among the keys that are no regular
// expressions.
func (t *table) static(s string) (*http.Complex, bool) {
	if len(s) > t.names.MaxExact() && !t.names.Wild() {
		return nil, false
	}
	var few [256]byte
	return t.names.Find(buf.String(wire.AppendLower(few[:0], s)))
}
