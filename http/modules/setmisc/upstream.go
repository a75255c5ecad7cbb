package setmisc

import (
	"strings"

	"moongate/conf"
	"moongate/http"
)

// mainConf are the upstream lists of the http block.
type mainConf struct {
	// lists has the names of upstreams by the list's name in lower case, each as
	// often as its weight says.
	lists map[string][]string
}

var mainSlot = &conf.Slot[mainConf]{
	Level: conf.LevelMain,
	New:   func() *mainConf { return &mainConf{lists: map[string][]string{}} },
}

// NDK stands for ngx_devel_kit, of which configurations can use upstream_list.
var NDK = &http.Module{
	Module: conf.Module{
		Name:       "ndk_http",
		Slots:      []conf.AnySlot{mainSlot},
		Directives: []conf.Directive{mainSlot.Custom("upstream_list", conf.HTTPMain|conf.HTTPServer, conf.TwoMore, upstreamList)},
		Arguments:  []string{"--add-module=../ngx_devel_kit-0.3.5"},
		Objects:    []string{"ndk_http_module.so"},
	},
}

// maxWeight bounds the weight of an upstream, which takes that much memory.
const maxWeight = 1 << 16

// upstreamList is "upstream_list name [weight:]upstream …".
func upstreamList(cf *conf.Conf, m *mainConf) error {
	name := strings.ToLower(cf.Args[0])
	if m.lists[name] != nil {
		return cf.Errorf(`duplicate upstream list name "%s"`, cf.Args[0])
	}
	list := []string{}
	for _, arg := range cf.Args[1:] {
		upstream := strings.TrimLeft(arg, "0123456789")
		weight := int64(1)
		if digits := arg[:len(arg)-len(upstream)]; digits != "" {
			if upstream == "" {
				return cf.Errorf(`upstream list just consists of number "%s"`, arg)
			}
			n, ok := conf.ParseInt(digits)
			if !ok || n > maxWeight || upstream[0] != ':' {
				return cf.Errorf(`upstream list not correct format "%s"`, arg)
			}
			weight, upstream = n, upstream[1:]
		}
		for range weight {
			list = append(list, upstream)
		}
	}
	m.lists[name] = list
	return nil
}

// hashedUpstream is "set_hashed_upstream $variable list key".
func hashedUpstream(cf *conf.Conf) error {
	variable, name, key := cf.Args[0], cf.Args[1], cf.Args[2]
	m := mainSlot.Of(cf.Scope)
	if strings.IndexByte(name, '$') >= 0 {
		return http.AddSet(cf, variable, []string{name, key}, func(r *http.Request, v []string) (string, bool) {
			list := m.lists[strings.ToLower(v[0])]
			if list == nil {
				r.Error(`set_hashed_upstream: upstream list "%s" not defined yet`, v[0])
				return "", false
			}
			return pick(list, v[1]), true
		})
	}
	list := m.lists[strings.ToLower(name)]
	if list == nil {
		return cf.Errorf(`set_hashed_upstream: upstream list "%s" not defined yet`, name)
	}
	return http.AddSet(cf, variable, []string{key}, func(_ *http.Request, v []string) (string, bool) {
		return pick(list, v[0]), true
	})
}

// pick chooses by nginx's hash of the key in lower case.
func pick(list []string, key string) string {
	if len(list) == 0 {
		return ""
	}
	var hash uint64
	for i := range len(key) {
		c := key[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		hash = hash*31 + uint64(c)
	}
	return list[uint32(hash)%uint32(len(list))]
}
