// Package geoip looks client addresses up in databases of MaxMind's first
// format (".dat"): nginx's ngx_http_geoip_module.
package geoip

import (
	"net/netip"
	"slices"
	"strconv"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
)

// source is a database and how its texts are given out.
type source struct {
	*database
	utf8 bool
}

type mainConf struct {
	country, org, city conf.Opt[source]
	proxies            conf.Opt[http.Proxies]
}

var mainSlot = &conf.Slot[mainConf]{Level: conf.LevelMain}

// Module is the geoip module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_geoip",
		Slots: []conf.AnySlot{mainSlot},
		Directives: append([]conf.Directive{
			databaseRow("geoip_country", "GeoIP", func(c *mainConf) *conf.Opt[source] { return &c.country }, country, countryV6),
			databaseRow("geoip_org", "GeoIP", func(c *mainConf) *conf.Opt[source] { return &c.org },
				isp, organization, domain, asNumber, ispV6, orgV6, domainV6, asNumberV6),
			databaseRow("geoip_city", "GeoIP City", func(c *mainConf) *conf.Opt[source] { return &c.city },
				cityRev0, cityRev1, cityRev0V6, cityRev1V6),
		}, http.ProxyDirectives(mainSlot, "geoip_proxy", func(c *mainConf) *conf.Opt[http.Proxies] { return &c.proxies })...),
		Arguments: []string{"--with-http_geoip_module"},
		Objects:   []string{"ngx_http_geoip_module.so"},
	},
	Variables: variables(),
}

// databaseRow is "name file [utf8]" for a database of one of the editions.
func databaseRow(name, kind string, field func(*mainConf) *conf.Opt[source], editions ...int) conf.Directive {
	return conf.Value(mainSlot, name, conf.HTTPMain, conf.Take12, field, source{}, func(cf *conf.Conf) (source, error) {
		file := cf.Args[0]
		data, err := cf.Cycle.Source.ReadFile(file)
		var d *database
		if err == nil {
			d, err = open(data)
		}
		switch {
		case err != nil:
			return source{}, cf.Errorf(`GeoIP_open("%s") failed`, file)
		case len(cf.Args) == 2 && cf.Args[1] != "utf8":
			return source{}, cf.Errorf(`invalid parameter "%s"`, cf.Args[1])
		case !slices.Contains(editions, d.edition):
			return source{}, cf.Errorf(`invalid %s database "%s" type:%d`, kind, file, d.edition)
		}
		return source{d, len(cf.Args) == 2}, nil
	})
}

// variables are those of the three databases.
func variables() []http.Variable {
	code := func(l *land, _ bool) string { return l.code }
	code3 := func(l *land, _ bool) string { return l.code3 }
	continent := func(l *land, _ bool) string { return l.continent }
	name := func(l *land, utf8 bool) string {
		if utf8 {
			return l.name
		}
		return l.ascii
	}
	text := func(field func(*city) []byte) func(*http.Request, *city, bool) http.Value {
		return func(r *http.Request, c *city, utf8 bool) http.Value { return textValue(r, field(c), utf8) }
	}
	ofLand := func(field func(*land, bool) string) func(*http.Request, *city, bool) http.Value {
		return func(_ *http.Request, c *city, utf8 bool) http.Value {
			return http.Val(field(&countries()[c.country], utf8))
		}
	}
	degrees := func(field func(*city) float32) func(*http.Request, *city, bool) http.Value {
		return func(r *http.Request, c *city, _ bool) http.Value {
			var b [16]byte
			return http.Val(r.Pool.String(strconv.AppendFloat(b[:0], float64(field(c)), 'f', 4, 64)))
		}
	}
	number := func(field func(*city) int) func(*http.Request, *city, bool) http.Value {
		return func(r *http.Request, c *city, _ bool) http.Value { return http.Val(r.Pool.Int(int64(field(c)))) }
	}
	return []http.Variable{
		{Name: "geoip_country_code", Get: getCountry, Data: code},
		{Name: "geoip_country_code3", Get: getCountry, Data: code3},
		{Name: "geoip_country_name", Get: getCountry, Data: name},
		{Name: "geoip_org", Get: getOrg},
		{Name: "geoip_city_continent_code", Get: getCity, Data: ofLand(continent)},
		{Name: "geoip_city_country_code", Get: getCity, Data: ofLand(code)},
		{Name: "geoip_city_country_code3", Get: getCity, Data: ofLand(code3)},
		{Name: "geoip_city_country_name", Get: getCity, Data: ofLand(name)},
		{Name: "geoip_region", Get: getCity, Data: text(func(c *city) []byte { return c.region })},
		{Name: "geoip_region_name", Get: getCity, Data: regionName},
		{Name: "geoip_city", Get: getCity, Data: text(func(c *city) []byte { return c.name })},
		{Name: "geoip_postal_code", Get: getCity, Data: text(func(c *city) []byte { return c.post })},
		{Name: "geoip_latitude", Get: getCity, Data: degrees(func(c *city) float32 { return c.latitude })},
		{Name: "geoip_longitude", Get: getCity, Data: degrees(func(c *city) float32 { return c.longitude })},
		{Name: "geoip_dma_code", Get: getCity, Data: number(func(c *city) int { return c.dma })},
		{Name: "geoip_area_code", Get: getCity, Data: number(func(c *city) int { return c.area })},
	}
}

func (m *mainConf) client(r *http.Request) netip.Addr { return m.proxies.V.Client(r, r.Conn.Peer.Addr) }

func getCountry(r *http.Request, data any) http.Value {
	m := mainSlot.Of(r.Scope)
	if m.country.V.database == nil {
		return http.Value{}
	}
	n := m.country.V.database.country(m.client(r))
	if n == 0 {
		return http.Value{}
	}
	return http.Val(data.(func(*land, bool) string)(&countries()[n], m.country.V.utf8))
}

func getOrg(r *http.Request, _ any) http.Value {
	m := mainSlot.Of(r.Scope)
	if m.org.V.database == nil {
		return http.Value{}
	}
	name, ok := m.org.V.name(m.client(r))
	if !ok {
		return http.Value{}
	}
	if len(name) == 0 {
		return http.Val("")
	}
	return textValue(r, name, m.org.V.utf8)
}

func getCity(r *http.Request, data any) http.Value {
	m := mainSlot.Of(r.Scope)
	if m.city.V.database == nil {
		return http.Value{}
	}
	c, ok := m.city.V.database.city(m.client(r))
	if !ok {
		return http.Value{}
	}
	return data.(func(*http.Request, *city, bool) http.Value)(r, &c, m.city.V.utf8)
}

// textValue is a text of a database; an empty one is none.
func textValue(r *http.Request, text []byte, utf8 bool) http.Value {
	if len(text) == 0 {
		return http.Value{}
	}
	if utf8 {
		return http.Val(buf.String(appendUTF8(r.Pool.Alloc(2 * len(text))[:0], text)))
	}
	return http.Val(buf.String(text))
}

func regionName(r *http.Request, c *city, _ bool) http.Value {
	name, ok := regions()[r.Pool.Concat(countries()[c.country].code, buf.String(c.region))]
	if !ok {
		return http.Value{}
	}
	return http.Val(name)
}
