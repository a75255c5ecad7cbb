package cache

import (
	"math"
	"strings"
	"time"

	"moongate/conf"
	"moongate/core/process"
	"moongate/core/shm"
	"moongate/http"
)

// minZone is the least size of a keys zone.
const minZone = 2 * shm.PageSize

// Declare reads "PREFIX_cache_path path keys_zone=name:size [parameter …]":
// nginx's ngx_http_file_cache_set_slot. tag is the module's.
func Declare(cf *conf.Conf, tag any) (*Cache, error) {
	c := &Cache{
		inactive: 600, maxSize: math.MaxInt64, cycle: process.Of(cf.Cycle),
		loader:  pace{100, 50 * time.Millisecond, 200 * time.Millisecond},
		manager: pace{100, 50 * time.Millisecond, 200 * time.Millisecond},
	}
	path := &process.Path{Name: cf.Args[0], Owner: c, Manager: c.manage, Loader: c.load}
	name, size := "", int64(0)
	for _, arg := range cf.Args[1:] {
		var err error
		if text, ok := strings.CutPrefix(arg, "keys_zone="); ok {
			name, size, err = parseZone(cf, arg, text)
		} else {
			err = c.parameter(cf, path, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	if name == "" || size == 0 {
		return nil, cf.Errorf(`"%s" must have "keys_zone" parameter`, cf.Name)
	}
	temp, err := http.AddTempPath(cf, path)
	if err != nil {
		return nil, err
	}
	c.path = temp
	z, err := process.Of(cf.Cycle).AddZone(cf, name, size, tag)
	switch {
	case err != nil:
		return nil, err
	case z.Data != nil:
		return nil, cf.Errorf(`duplicate zone "%s"`, name)
	}
	c.zone, z.Data, z.Init = z, c, c.init
	return c, nil
}

// parseZone reads "name:size".
func parseZone(cf *conf.Conf, arg, text string) (name string, size int64, err error) {
	name, number, found := strings.Cut(text, ":")
	size, ok := conf.ParseSize(number)
	switch {
	case !found || !ok:
		return "", 0, cf.Errorf(`invalid keys zone size "%s"`, arg)
	case size < minZone:
		return "", 0, cf.Errorf(`keys zone "%s" is too small`, arg)
	}
	return name, size, nil
}

// parameter reads one of the other parameters.
func (c *Cache) parameter(cf *conf.Conf, path *process.Path, arg string) error {
	name, value, found := strings.Cut(arg, "=")
	ok := true
	switch {
	case !found:
		return cf.Errorf(`invalid parameter "%s"`, arg)
	case name == "levels":
		if path.Levels, ok = parseLevels(value); !ok {
			return cf.Errorf(`invalid "levels" "%s"`, arg)
		}
		return nil
	case name == "use_temp_path":
		if c.ownTemp, ok = value == "off", value == "on" || value == "off"; !ok {
			return cf.Errorf(`invalid use_temp_path value "%s", it must be "on" or "off"`, arg)
		}
		return nil
	case name == "inactive":
		var d time.Duration
		d, ok = conf.ParseSec(value)
		c.inactive = int64(d / time.Second)
	case name == "max_size":
		c.maxSize, ok = conf.ParseOffset(value)
	case name == "min_free":
		c.minFree, ok = conf.ParseOffset(value)
	case name == "loader_files":
		c.loader.files, ok = conf.ParseInt(value)
	case name == "loader_sleep":
		c.loader.sleep, ok = conf.ParseMsec(value)
	case name == "loader_threshold":
		c.loader.threshold, ok = conf.ParseMsec(value)
	case name == "manager_files":
		c.manager.files, ok = conf.ParseInt(value)
	case name == "manager_sleep":
		c.manager.sleep, ok = conf.ParseMsec(value)
	case name == "manager_threshold":
		c.manager.threshold, ok = conf.ParseMsec(value)
	default:
		return cf.Errorf(`invalid parameter "%s"`, arg)
	}
	if !ok {
		return cf.Errorf(`invalid %s value "%s"`, name, arg)
	}
	return nil
}

// parseLevels reads up to three lengths of 1 or 2 digits with colons between.
func parseLevels(s string) (levels [3]int, ok bool) {
	parts := strings.Split(s, ":")
	if s == "" {
		return levels, true
	}
	if len(parts) > len(levels) {
		return levels, false
	}
	for i, p := range parts {
		if p != "1" && p != "2" {
			return levels, false
		}
		levels[i] = int(p[0] - '0')
	}
	return levels, true
}

// Valid says how long responses with a status are kept, in seconds:
// ngx_http_cache_valid_t. Status 0 is any.
type Valid struct {
	Status  int
	Seconds int64
}

// ParseValid reads "PREFIX_cache_valid [status …] time".
func ParseValid(cf *conf.Conf, o *conf.Opt[[]Valid]) error {
	last := len(cf.Args) - 1
	d, ok := conf.ParseSec(cf.Args[last])
	if !ok {
		return cf.Errorf(`invalid time value "%s"`, cf.Args[last])
	}
	seconds := int64(d / time.Second)
	if last == 0 {
		o.Put(append(o.V, Valid{200, seconds}, Valid{301, seconds}, Valid{302, seconds}))
		return nil
	}
	for _, arg := range cf.Args[:last] {
		status, ok := int64(0), true
		if arg != "any" {
			status, ok = conf.ParseInt(arg)
			ok = ok && status >= 100 && status <= 599
		}
		if !ok {
			return cf.Errorf(`invalid status "%s"`, arg)
		}
		o.Put(append(o.V, Valid{int(status), seconds}))
	}
	return nil
}

// Lifetime is how long a response with a status is kept, in seconds, 0 for not
// at all: ngx_http_file_cache_valid.
func Lifetime(list []Valid, status int) int64 {
	for _, v := range list {
		if v.Status == 0 || v.Status == status {
			return v.Seconds
		}
	}
	return 0
}
