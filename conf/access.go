package conf

import "strings"

var (
	accessShifts = map[string]uint32{"user": 6, "group": 3, "all": 0}
	accessBits   = map[string]uint32{"r": 4, "rw": 6}
)

// ParseAccess reads the arguments "users:permissions …" as permission bits of a
// file: user, group or all, and r or rw. Unless said otherwise the owner can
// read and write: nginx's ngx_conf_set_access_slot.
func ParseAccess(cf *Conf) (uint32, error) {
	var access uint32
	user := uint32(0o600)
	for _, arg := range cf.Args {
		who, what, _ := strings.Cut(arg, ":")
		shift, known := accessShifts[who]
		bits, valid := accessBits[what]
		if !known || !valid {
			return 0, cf.Errorf(`invalid value "%s"`, arg)
		}
		if who == "user" {
			user = 0
		}
		access |= bits << shift
	}
	return access | user, nil
}
