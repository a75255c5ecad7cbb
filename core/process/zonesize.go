package process

import (
	"strings"

	"moongate/conf"
	"moongate/core/shm"
)

// ParseZone reads the argument "zone=name:size" of a directive that declares a
// zone, with nginx's complaints. The size is in bytes.
func ParseZone(cf *conf.Conf, arg string) (name string, size int64, err error) {
	name, text, found := strings.Cut(strings.TrimPrefix(arg, "zone="), ":")
	size, ok := conf.ParseSize(text)
	switch {
	case !found || !ok:
		return "", 0, cf.Errorf(`invalid zone size "%s"`, arg)
	case size < shm.MinSize:
		return "", 0, cf.Errorf(`zone "%s" is too small`, arg)
	}
	return name, size, nil
}
