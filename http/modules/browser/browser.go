// Package browser tells modern browsers from ancient ones by User-Agent:
// nginx's ngx_http_browser_module.
package browser

import (
	"slices"
	"strings"

	"moongate/conf"
	"moongate/http"
	"moongate/http/wire"
)

// locConf is what a location calls modern and ancient.
type locConf struct {
	modern    []browser
	unlisted  bool // browsers that are not listed are modern
	ancient   []string
	netscape4 bool

	modernValue, ancientValue *string
}

// browser is a modern browser from a version on; kind indexes masks.
type browser struct {
	kind    int
	version uint64
}

// masks say where a browser's version stands in a User-Agent: behind name,
// which is looked for from skip on. Opera calls itself MSIE too, so that it has
// to be asked for first.
var masks = []struct {
	browser string
	skip    int
	name    string
	add     int
}{
	{"opera", 0, "Opera", len("Opera ")},
	{"msie", len("Mozilla/4.0 (compatible; "), "MSIE ", len("MSIE ")},
	{"gecko", len("Mozilla/5.0 ("), "rv:", len("rv:")},
	{"safari", len("Mozilla/5.0 ("), "Safari/", len("Safari/")},
	{"konqueror", len("Mozilla/5.0 (compatible; "), "Konqueror/", len("Konqueror/")},
}

const (
	opera = 0
	// unreachable is a version that no browser has: 4001.
	unreachable = 4001000000
	// firstScale is the weight of the first number of a version; each further
	// one weighs a hundredth.
	firstScale = 1000000
)

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: merge}

// Module is the browser module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_browser",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			slot.Custom("modern_browser", conf.HTTPAny, conf.Take12, modernDirective),
			slot.Custom("ancient_browser", conf.HTTPAny, conf.OneMore, ancientDirective),
			slot.Custom("modern_browser_value", conf.HTTPAny, conf.Take1, func(cf *conf.Conf, c *locConf) error {
				c.modernValue = &cf.Args[0]
				return nil
			}),
			slot.Custom("ancient_browser_value", conf.HTTPAny, conf.Take1, func(cf *conf.Conf, c *locConf) error {
				c.ancientValue = &cf.Args[0]
				return nil
			}),
		},
	},
	Variables: []http.Variable{
		{Name: "msie", Get: msie, Changeable: true},
		{Name: "modern_browser", Get: modern, Changeable: true},
		{Name: "ancient_browser", Get: ancient, Changeable: true},
	},
}

// modernDirective is "modern_browser browser version" and "modern_browser
// unlisted".
func modernDirective(cf *conf.Conf, c *locConf) error {
	name := cf.Args[0]
	if len(cf.Args) == 1 {
		if name != "unlisted" {
			return cf.Errorf(`invalid parameter "%s"`, name)
		}
		c.unlisted = true
		return nil
	}
	b := browser{}
	for b.kind = 0; b.kind < len(masks) && !strings.EqualFold(masks[b.kind].browser, name); {
		b.kind++
	}
	if b.kind == len(masks) {
		return cf.Errorf(`unknown browser name "%s"`, name)
	}
	var rest string
	if b.version, rest = version(cf.Args[1], unreachable); rest != "" {
		return cf.Errorf(`invalid browser version "%s"`, cf.Args[1])
	}
	c.modern = append(c.modern, b)
	return nil
}

// version reads numbers with dots between them up to another byte, or to a dot
// behind which the version is above enough already.
func version(s string, enough uint64) (v uint64, rest string) {
	n, scale := uint64(0), uint64(firstScale)
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			n = n*10 + uint64(c-'0')
		case c == '.':
			if v += n * scale; v > enough {
				return v, ""
			}
			n, scale = 0, scale/100
		default:
			return v + n*scale, s[i:]
		}
	}
	return v + n*scale, ""
}

// ancientDirective is "ancient_browser string …".
func ancientDirective(cf *conf.Conf, c *locConf) error {
	for _, arg := range cf.Args {
		if arg == "netscape4" {
			c.netscape4 = true
		} else {
			c.ancient = append(c.ancient, arg)
		}
	}
	return nil
}

func merge(_ *conf.Conf, outer, c *locConf) error {
	switch {
	case c.modern == nil && !c.unlisted:
		c.modern, c.unlisted = outer.modern, outer.unlisted
	case c.modern != nil:
		// Opera that is not listed must not count as MSIE.
		if !slices.ContainsFunc(c.modern, func(b browser) bool { return b.kind == opera }) {
			c.modern = append(c.modern, browser{opera, unreachable})
		}
		slices.SortStableFunc(c.modern, func(a, b browser) int { return a.kind - b.kind })
	}
	if c.ancient == nil && !c.netscape4 {
		c.ancient, c.netscape4 = outer.ancient, outer.netscape4
	}
	if c.modernValue == nil {
		c.modernValue = outer.modernValue
	}
	if c.ancientValue == nil {
		c.ancientValue = outer.ancientValue
	}
	return nil
}

// isModern classes the browser of a request.
func (c *locConf) isModern(r *http.Request) bool {
	ua, ok := r.In.Get(wire.HeaderUserAgent)
	if !ok {
		return c.unlisted
	}
	for _, b := range c.modern {
		mask := &masks[b.kind]
		if len(ua) <= mask.skip {
			continue
		}
		at := strings.Index(ua[mask.skip:], mask.name)
		if at < 0 || mask.skip+at+mask.add >= len(ua) {
			continue
		}
		v, _ := version(ua[mask.skip+at+mask.add:], b.version)
		return v >= b.version
	}
	if c.modern != nil && !c.unlisted {
		return false
	}
	const mozilla, shortest = "Mozilla/", len("Mozilla/4.72 ")
	if c.netscape4 && len(ua) > shortest && strings.HasPrefix(ua, mozilla) && ua[len(mozilla)] > '0' && ua[len(mozilla)] < '5' {
		return false
	}
	for _, s := range c.ancient {
		if strings.Contains(ua, s) {
			return false
		}
	}
	return c.unlisted
}

// modern and ancient are the getters of the variables of these names.
func modern(r *http.Request, _ any) http.Value {
	c := slot.Of(r.Scope)
	return choose(c.isModern(r), c.modernValue)
}

func ancient(r *http.Request, _ any) http.Value {
	c := slot.Of(r.Scope)
	return choose(!c.isModern(r), c.ancientValue)
}

func choose(yes bool, value *string) http.Value {
	switch {
	case !yes:
		return http.Val("")
	case value == nil:
		return http.Val("1")
	}
	return http.Val(*value)
}

// msie is the getter of $msie.
func msie(r *http.Request, _ any) http.Value {
	if r.In.MSIE {
		return http.Val("1")
	}
	return http.Val("")
}
