// Package geoip2 looks addresses up in MaxMind's databases (".mmdb"):
// leev/ngx_http_geoip2_module.
package geoip2

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/cidr"
	"moongate/core/log"
	"moongate/http"
)

// database is an open file.
type database struct {
	path string
	*maxminddb.Reader
	// every is how often the file is looked at again, 0 for never.
	every               time.Duration
	lastCheck, lastTime int64 // Unix seconds
}

type mainConf struct {
	databases []*database
	proxies   conf.Opt[http.Proxies]
}

var mainSlot = &conf.Slot[mainConf]{Level: conf.LevelMain}

// Module is the geoip2 module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_geoip2",
		Slots: []conf.AnySlot{mainSlot},
		Directives: append([]conf.Directive{
			mainSlot.Custom("geoip2", conf.HTTPMain, conf.Braces|conf.Take1, geoip2Directive),
		}, http.ProxyDirectives(mainSlot, "geoip2_proxy", func(c *mainConf) *conf.Opt[http.Proxies] { return &c.proxies })...),
		Arguments: []string{"--add-module=../ngx_http_geoip2_module"},
		Objects:   []string{"ngx_http_geoip2_module.so"},
	},
	Init: func(cf *conf.Conf, m *http.MainConf) error {
		for _, d := range mainSlot.Of(cf.Scope).databases {
			if d.every > 0 {
				m.Handle(http.PhaseLog, nil, reload)
				break
			}
		}
		return nil
	},
}

// geoip2Directive is "geoip2 file { … }".
func geoip2Directive(cf *conf.Conf, m *mainConf) error {
	d := &database{path: cf.Cycle.Path(cf.Args[0])}
	for _, other := range m.databases {
		if other.path == d.path {
			return cf.Errorf("Duplicate GeoIP2 mmdb - %s", d.path)
		}
	}
	data, err := cf.Cycle.Source.ReadFile(d.path)
	reason := "Error opening the specified MaxMind DB file"
	switch {
	case errors.Is(err, unix.EISDIR), err == nil && len(data) == 0:
		err, reason = unix.EINVAL, "An attempt to read data from the MaxMind DB file failed" // to map it
	case err == nil:
		reason = "The MaxMind DB file contains invalid metadata"
		d.Reader, err = maxminddb.OpenBytes(data)
	}
	if err != nil {
		return cf.Errorf(`MMDB_open("%s") failed - %s`, d.path, reason)
	}
	d.lastCheck = time.Now().Unix()
	d.lastTime = d.lastCheck
	m.databases = append(m.databases, d)
	return cf.Lines(d.line)
}

// line is "$variable …" or "auto_reload interval".
func (d *database) line(cf *conf.Conf) error {
	if name, ok := strings.CutPrefix(cf.Name, "$"); ok {
		return d.variable(cf, name)
	}
	if cf.Name != "auto_reload" {
		return cf.Errorf(`invalid setting "%s"`, cf.Name)
	}
	if len(cf.Args) != 1 {
		return cf.Errorf("invalid number of arguments for auto_reload")
	}
	every, ok := conf.ParseSec(cf.Args[0])
	if !ok {
		return cf.Errorf(`invalid interval for auto_reload "%s"`, cf.Args[0])
	}
	d.every = every
	return nil
}

// field is where the value of a variable stands in a record.
type field struct {
	database *database
	path     []any
	fallback string
	source   *http.Complex // of the address; nil for the client's
}

// variable is "$name [default=value] [source=$variable] path …" or
// "$name metadata what".
func (d *database) variable(cf *conf.Conf, name string) error {
	m, args := http.MainOf(cf), cf.Args
	if len(args) > 0 && args[0] == "metadata" {
		what := ""
		if len(args) > 1 {
			what = args[1]
		}
		_, err := m.AddVariable(cf, http.Variable{Name: name, Changeable: true, Get: d.metadata, Data: what})
		return err
	}
	f := &field{database: d}
	source := ""
	for ; len(args) > 0 && strings.Contains(args[0], "="); args = args[1:] {
		key, value, _ := strings.Cut(args[0], "=")
		var of *string
		switch {
		case key == "default" && value != "":
			of = &f.fallback
		case key == "source" && value != "":
			of = &source
		default:
			return cf.Errorf(`invalid setting "%s" for "$%s"`, args[0], name)
		}
		if *of != "" {
			return cf.Errorf(`%s has already been declared for  "$%s"`, key, name)
		}
		*of = value
	}
	if source != "" {
		if source[0] != '$' {
			return cf.Errorf(`invalid source variable name "%s"`, source)
		}
		var err error
		if f.source, err = m.Compile(cf, source); err != nil {
			return err
		}
	}
	for _, key := range args {
		if i, err := strconv.Atoi(key); err == nil {
			f.path = append(f.path, i) // into an array
		} else {
			f.path = append(f.path, key)
		}
	}
	_, err := m.AddVariable(cf, http.Variable{Name: name, Changeable: true, Get: get, Data: f})
	return err
}

func get(r *http.Request, data any) http.Value {
	f := data.(*field)
	if addr, ok := f.address(r); ok {
		var v any
		result := f.database.Lookup(addr)
		if result.Err() == nil && result.Found() && result.DecodePath(&v, f.path...) == nil {
			if text, ok := format(v); ok {
				return http.Val(text)
			}
		}
	}
	if f.fallback == "" {
		return http.Value{}
	}
	return http.Val(f.fallback)
}

// address is the one to look up.
func (f *field) address(r *http.Request) (netip.Addr, bool) {
	if f.source != nil {
		a, ok := cidr.ParseAddr(f.source.Eval(r))
		return a.Unmap(), ok
	}
	a := mainSlot.Of(r.Scope).proxies.V.Client(r, r.Conn.Peer.Addr).Unmap()
	return a, a.IsValid()
}

// format writes a value that is neither a map nor an array.
func format(v any) (string, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return "1", true
		}
		return "0", true
	case string:
		return v, true
	case []byte:
		return string(v), true
	case float32:
		return strconv.FormatFloat(float64(v), 'f', 5, 64), true
	case float64:
		return strconv.FormatFloat(v, 'f', 5, 64), true
	case *big.Int:
		return fmt.Sprintf("0x%032x", v), true
	case int, int32, uint16, uint32, uint64, uint:
		return fmt.Sprint(v), true
	}
	return "", false
}

// metadata is the getter of "metadata" variables.
func (d *database) metadata(r *http.Request, data any) http.Value {
	switch data.(string) {
	case "build_epoch":
		return http.Val(r.Pool.Int(int64(d.Metadata.BuildEpoch)))
	case "last_check":
		return http.Val(r.Pool.Int(d.lastCheck))
	case "last_change":
		return http.Val(r.Pool.Int(d.lastTime))
	}
	return http.Value{}
}

// reload opens databases again whose files have changed, now and then at the
// end of a request.
func reload(r *http.Request) http.Verdict {
	now := r.Loop().Now().Unix()
	for _, d := range mainSlot.Of(r.Scope).databases {
		if d.every == 0 || d.lastCheck+int64(d.every/time.Second) > now {
			continue
		}
		d.lastCheck = now
		info, err := os.Stat(d.path)
		if err != nil {
			r.Logf(log.Emerg, err, `stat() "%s" failed`, d.path)
			continue
		}
		if info.ModTime().Unix() <= d.lastTime {
			continue
		}
		var data []byte
		var reader *maxminddb.Reader
		r.Loop().Offload(func() {
			if data, err = os.ReadFile(d.path); err == nil {
				reader, err = maxminddb.OpenBytes(data)
			}
		})
		if err != nil {
			r.Error(`MMDB_open("%s") failed to reload - %s`, d.path, err)
			continue
		}
		// Values that requests still hold point into the old data, which lives
		// as long as they do.
		d.Reader, d.lastTime = reader, info.ModTime().Unix()
		r.Logf(log.Info, nil, `Reload MMDB "%s"`, d.path)
	}
	return http.OK
}
