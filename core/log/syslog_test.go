package log

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func listen(t *testing.T, network, address string) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket(network, address)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	return c
}

func receive(t *testing.T, c net.PacketConn) string {
	t.Helper()
	b := make([]byte, 2*MaxLine)
	n, _, err := c.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestSyslog(t *testing.T) {
	env := quietEnv()
	env.Hostname = "host"

	udp := listen(t, "udp", "127.0.0.1:0")
	s, err := ParseSyslog("syslog:server="+udp.LocalAddr().String()+",facility=user,tag=web_1,severity=warn", env)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Send([]byte("GET /"))
	if got, want := receive(t, udp), "<12>Nov 23 09:50:29 host web_1: GET /"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	New(env, NewSyslogOutput(s, Error)).Log(Crit, nil, "down")
	want := fmt.Sprintf("<10>Nov 23 09:50:29 host web_1: 2026/11/23 09:50:29 [crit] %d#%[1]d: down", os.Getpid())
	if got := receive(t, udp); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if n := testing.AllocsPerRun(100, func() { s.Send([]byte("GET /")) }); n != 0 {
		t.Errorf("%v allocations", n)
	}

	path := filepath.Join(t.TempDir(), "sock")
	local := listen(t, "unixgram", path)
	s, err = ParseSyslog("syslog:server=unix:"+path+",nohostname", env)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Send([]byte(strings.Repeat("y", 2*MaxLine)))
	if got, want := receive(t, local), "<190>Nov 23 09:50:29 nginx: yy"; !strings.HasPrefix(got, want) || len(got) != maxSyslog {
		t.Errorf("%d %q", len(got), got[:60])
	}
}

func TestSyslogFailure(t *testing.T) {
	f, read := newFile(t)
	path := filepath.Join(t.TempDir(), "none")
	env := quietEnv()
	s, err := ParseSyslog("syslog:server=unix:"+path, env)
	if err != nil {
		t.Fatal(err)
	}
	// The report comes back to the syslog output, which must not recurse.
	l := New(env, NewSyslogOutput(s, Info), NewFileOutput(f, Info))
	s.Report = func() *Logger { return l }
	l.Log(Error, nil, "x")
	want := "connect() failed (2: No such file or directory) while logging to syslog, server: unix:" + path + "\n"
	if got := read(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "[alert]") || !strings.Contains(got, want) {
		t.Errorf("%q", got)
	}
}

func TestParseSyslogErrors(t *testing.T) {
	for in, want := range map[string]string{
		"server=127.0.0.1,server=127.0.0.1":               `duplicate syslog "server"`,
		"server=127.0.0.1:0":                              `invalid port in syslog server "127.0.0.1:0"`,
		"server=127.0.0.1:70000":                          `invalid port in syslog server "127.0.0.1:70000"`,
		"server=127.0.0.1/x":                              `invalid host in syslog server "127.0.0.1/x"`,
		"server=:514":                                     `no host in syslog server ":514"`,
		"server=[1.2.3.4]":                                `invalid IPv6 address in syslog server "[1.2.3.4]"`,
		"server=[::1]x":                                   `invalid host in syslog server "[::1]x"`,
		"server=[::1]:514":                                "",
		"server=127.0.0.1,facility=user,facility=user":    `duplicate syslog "facility"`,
		"server=127.0.0.1,facility=users":                 `unknown syslog facility "users"`,
		"server=127.0.0.1,severity=err":                   `unknown syslog severity "err"`,
		"server=127.0.0.1,severity=info,severity=info":    `duplicate syslog "severity"`,
		"server=127.0.0.1,tag=a,tag=b":                    `duplicate syslog "tag"`,
		"server=127.0.0.1,tag=a-b":                        `syslog "tag" only allows alphanumeric characters and underscore`,
		"server=127.0.0.1,tag=" + strings.Repeat("a", 33): "syslog tag length exceeds 32",
		"server=127.0.0.1,hostname":                       `unknown syslog parameter "hostname"`,
		"server=127.0.0.1,":                               `unknown syslog parameter ""`,
		"":                                                `unknown syslog parameter ""`,
		"nohostname":                                      "no syslog server specified",
		"server=unix:" + strings.Repeat("a", 108):         `too long path in the unix domain socket in syslog server "unix:` + strings.Repeat("a", 108) + `"`,
	} {
		_, err := ParseSyslog("syslog:"+in, quietEnv())
		if errText(err) != want {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
}

func FuzzParseSyslog(f *testing.F) {
	f.Add("server=127.0.0.1:514,facility=local7,tag=nginx,severity=info,nohostname")
	f.Add("server=unix:/dev/log")
	env := quietEnv()
	f.Fuzz(func(t *testing.T, in string) {
		host, ok := strings.CutPrefix(in, "server=")
		if !ok || strings.HasPrefix(host, "unix:") || strings.HasPrefix(host, "[") {
			ParseSyslog("syslog:"+in, env)
			return
		}
		// Names would be looked up in the DNS.
		splitHostPort(host)
	})
}
