package http

import (
	"errors"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/tls"
)

// What the directives of ssl and of the modules that speak TLS to peers have in
// common.

// SSLProtocols are the words of PREFIX_protocols.
var SSLProtocols = []conf.Word{
	{Name: "SSLv2", Value: int(tls.SSLv2)}, {Name: "SSLv3", Value: int(tls.SSLv3)}, {Name: "TLSv1", Value: int(tls.TLSv1)},
	{Name: "TLSv1.1", Value: int(tls.TLSv11)}, {Name: "TLSv1.2", Value: int(tls.TLSv12)}, {Name: "TLSv1.3", Value: int(tls.TLSv13)},
}

// ParseCertificateCache reads "PREFIX_certificate_cache off | max=N
// [inactive=time] [valid=time]"; nil is "off".
func ParseCertificateCache(cf *conf.Conf) (*tls.CertificateCache, error) {
	limit, inactive, valid, off := int64(0), 10*time.Second, 60*time.Second, false
	for _, arg := range cf.Args {
		name, value, _ := strings.Cut(arg, "=")
		ok := true
		switch {
		case arg == "off":
			off = true
		case name == "max":
			limit, ok = conf.ParseInt(value)
			ok = ok && limit > 0
		case name == "inactive":
			inactive, ok = conf.ParseSec(value)
		case name == "valid":
			valid, ok = conf.ParseSec(value)
		default:
			ok = false
		}
		if !ok {
			return nil, cf.Errorf(`invalid parameter "%s"`, arg)
		}
	}
	switch {
	case off:
		return nil, nil
	case limit == 0:
		return nil, cf.Errorf(`"%s" must have the "max" parameter`, cf.Name)
	}
	return tls.NewCertificateCache(int(limit), valid, inactive), nil
}

// ParsePasswordFile reads "PREFIX_password_file file" and the passwords in it,
// one a line.
func ParsePasswordFile(cf *conf.Conf) ([][]byte, error) {
	name := cf.Cycle.ConfPath(cf.Args[0])
	b, err := cf.Cycle.ReadFile(name)
	if errors.Is(err, unix.EISDIR) { // a directory can be opened
		return nil, cf.Errorf(`read() "%s" failed (%s)`, name, conf.ErrnoText(err))
	}
	if err != nil {
		return nil, cf.Errorf(`open() "%s" failed (%s)`, name, conf.ErrnoText(err))
	}
	list, tooLong := tls.ParsePasswords(b)
	if tooLong {
		return nil, cf.Errorf(`too long line in "%s"`, name)
	}
	return list, nil
}
