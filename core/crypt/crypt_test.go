package crypt

import (
	"strings"
	"testing"
)

// The hashes come from libxcrypt's crypt(3) and from openssl passwd.
func TestMatch(t *testing.T) {
	for _, c := range []struct{ password, hash string }{
		{"rasmuslerdorf", "rl.3StKT.4T8M"},
		{"", "abmF1QH4PEr.E"},
		{"password", "./xZjzHv5vzVE"},
		{"secret-long-password", "ZzawsVygIK/IA"},
		{"a", "09IrJGbKu51cs"},
		{strings.Repeat("x", 200), "$1$abc$jaVUjM1dXKqGbIrv9ONTQ/"},
		{"", "$1$abcdefgh$M55TzYaaccxVGbptZWaxX/"},
		{"password", "$1$abcdefgh$G//4keteveJp0qb8z2DxG/"},
		{"secret", "$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi."},
		{"", "$5$s$u9jS/E6rlpZoj8KCMVhpLKJh2MrO5hc9UBdfKCcvVU7"},
		{strings.Repeat("pässwörd", 9), "$5$rounds=1400$anotherlongsalts$SSr7bt.jVAospah07gFEgBWY/B3Zp7yL7Q6LAOO4JiA"},
		{"Hello world!", "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"},
		{strings.Repeat("a", 130), "$6$rounds=1000$x$J/uY1W1VPaYsLQypkZEeiahjIFv3jmeiNXdqPeZrK/HtAdkLPY7ODVbi.jzJpHqxEUyS2eUvjysMSqIZ7xxFB1"},
		{"", "$6$x$QSmr1Bx2g4O6BzKvdkgOcyU6H91X6I/XBv5pSalMhSPkwdH6Beo3F455xZJg0v//bxVK5F4OE5k1.0xuR26MK0"},
		{"pw", "$2b$04$abcdefghijklmnopqrstuuyvPXIbu7xe6/CED2DzX8z6Si09MlzlW"},
		{"pw", "$2y$04$abcdefghijklmnopqrstuuyvPXIbu7xe6/CED2DzX8z6Si09MlzlW"},
		{"pass", "$apr1$saltsalt$xx013OFx2cRtDjpNeiZXf."},
		{"", "$apr1$x$tMwYqBfQwi3FYAr0aJc8M/"},
		{"plain", "{PLAIN}plain"},
		{"", "{PLAIN}"},
		{"test", "{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="},
		{"test", "{SSHA}LzwoVjIf4lYnglQVuvdQOPVHwxpzYWx0eQ=="},
		{"cut\x00here", "{PLAIN}cut"},
	} {
		ok, err := Match(c.password, c.hash)
		if !ok || err != nil {
			t.Errorf("%q does not match %s (%v)", c.password, c.hash, err)
		}
		if ok, _ := Match(c.password+"x", c.hash); ok && len(c.password) < 8 {
			t.Errorf("%q matches %s", c.password+"x", c.hash)
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, hash := range []string{"$y$j9T$x$y", "$2b$99$x", "$2a$"} {
		if ok, err := Match("", hash); ok || err != ErrUnknown {
			t.Errorf("%q: %v %v", hash, ok, err)
		}
	}
	for _, hash := range []string{"", "x", "!locked", "{SSHA}", "{SSHA}!", "{SHA}", "$1$", "$apr1$", "$5$rounds=9999$"} {
		if ok, err := Match("x", hash); ok || err != nil {
			t.Errorf("%q: %v %v", hash, ok, err)
		}
	}
}

func FuzzMatch(f *testing.F) {
	for _, hash := range []string{"ab", "$1$x$", "$apr1$", "{SSHA}YWJj", "{SHA}", "$5$a$", "$6$rounds=1$a", "$2b$04$x"} {
		f.Add("password", hash)
	}
	f.Fuzz(func(t *testing.T, password, hash string) {
		if strings.HasPrefix(hash, "$2") || strings.Contains(hash, "rounds=") || len(password) > 64 {
			return // as slow as the file asks for
		}
		Match(password, hash)
	})
}
