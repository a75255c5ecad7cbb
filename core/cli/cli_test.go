package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"moongate/conf"
	"moongate/core/build"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		args string
		want flags
	}{
		{"", flags{}},
		{"-t -q", flags{test: true, quiet: true}},
		{"-tq", flags{test: true, quiet: true}},
		{"-T", flags{test: true, dump: true}},
		{"-?", flags{version: true, help: true}},
		{"-hV", flags{version: true, help: true, configure: true}},
		{"-c file", flags{conf: "file", hasConf: true}},
		{"-cfile -p/x", flags{conf: "file", hasConf: true, prefix: "/x", hasPrefix: true}},
		{"-tcfile", flags{test: true, conf: "file", hasConf: true}},
		{"-c -t", flags{conf: "-t", hasConf: true}},
		{"-s reload", flags{signal: "reload"}},
		{"-sstop", flags{signal: "stop"}},
		{"-e stderr", flags{hasErrorLog: true}},
		{"-e log", flags{errorLog: "log", hasErrorLog: true}},
		{"-gdaemon_off;", flags{param: "daemon_off;"}},
		{"-", flags{}},
		{"-p a -p b", flags{prefix: "b", hasPrefix: true}},
	} {
		got, err := parse(strings.Fields(tt.args))
		if err != nil {
			t.Errorf("%q: %v", tt.args, err)
		} else if diff := cmp.Diff(&tt.want, got, cmp.AllowUnexported(flags{})); diff != "" {
			t.Errorf("%q: %s", tt.args, diff)
		}
	}
	for args, want := range map[string]string{
		"-x":         `invalid option: "x"`,
		"-tx":        `invalid option: "x"`,
		"foo":        `invalid option: "foo"`,
		"--version":  `invalid option: "-"`,
		"-c":         `option "-c" requires file name`,
		"-e":         `option "-e" requires file name`,
		"-p":         `option "-p" requires directory name`,
		"-g":         `option "-g" requires parameter`,
		"-s":         `option "-s" requires parameter`,
		"-s restart": `invalid option: "-s restart"`,
	} {
		if _, err := parse(strings.Fields(args)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct{ args, prefix, confPrefix, file, errorLog string }{
		{"", build.Prefix + "/", build.Prefix + "/conf/", build.Prefix + "/" + build.ConfPath, build.ErrorLogPath},
		{"-p /x", "/x/", "/x/conf/", "/x/conf/nginx.conf", build.ErrorLogPath},
		{"-p /x/ -c my.conf -e e.log", "/x/", "/x/", "/x/my.conf", "e.log"},
		{"-p rel -c /etc/n/my.conf -e stderr", "rel/", "/etc/n/", "/etc/n/my.conf", ""},
	} {
		f, err := parse(strings.Fields(tt.args))
		if err != nil {
			t.Fatal(err)
		}
		o, err := f.options()
		if err != nil {
			t.Fatal(err)
		}
		got := []string{o.Prefix, o.ConfPrefix, o.File, o.ErrorLog}
		if diff := cmp.Diff([]string{tt.prefix, tt.confPrefix, tt.file, tt.errorLog}, got); diff != "" {
			t.Errorf("%q: %s", tt.args, diff)
		}
	}
}

func TestArguments(t *testing.T) {
	row := func(name string, in conf.Context) conf.Directive { return conf.Command(name, in, conf.NoArgs, nil) }
	core := &conf.Module{Directives: []conf.Directive{row("http", conf.Main)}}
	for _, tt := range []struct {
		modules []*conf.Module
		has     []string
		hasNot  []string
	}{
		{nil, []string{"--prefix=/usr/local/nginx --sbin-path=/usr/local/nginx/sbin/nginx ", "--without-http"},
			[]string{"--without-http_", "--without-stream"}},
		{[]*conf.Module{core}, []string{"--without-http_map_module"}, []string{"--without-http ", "--without-stream"}},
		{[]*conf.Module{core, {Directives: []conf.Directive{row("map", conf.HTTPMain), row("hash", conf.StreamUpstream)}}},
			[]string{"--without-http_geo_module", "--without-http_upstream_hash_module"}, []string{"--without-http_map_module"}},
		{[]*conf.Module{{Arguments: []string{"--with-stream", "--with-http_ssl_module"}}, {Arguments: []string{"--with-stream"}}},
			[]string{" --user=nobody --with-stream --with-http_ssl_module "}, nil},
	} {
		got := strings.Join(Arguments(conf.NewRegistry(tt.modules...)), " ") + " "
		for _, s := range tt.has {
			if strings.Count(got, s) != 1 {
				t.Errorf("%q is not there once: %s", s, got)
			}
		}
		for _, s := range tt.hasNot {
			if strings.Contains(got, s) {
				t.Errorf("%q is there: %s", s, got)
			}
		}
	}
}

func TestSource(t *testing.T) {
	dir := t.TempDir() + "/"
	s := &source{builtin: true, file: dir + "nginx.conf", dir: dir}
	for _, name := range []string{"nginx.conf", "mime.types"} {
		if b, err := s.ReadFile(dir + name); err != nil || len(b) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.ReadFile(dir + "other"); !os.IsNotExist(err) {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mime.types"), []byte("own"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, _ := s.ReadFile(dir + "mime.types"); string(b) != "own" {
		t.Errorf("%q", b)
	}
	if err := os.WriteFile(s.file, []byte("own"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadFile(dir + "fastcgi_params"); !os.IsNotExist(err) {
		t.Errorf("%v: an own configuration is completed with built-in files", err)
	}
}

// A binary that came alone finds what its configuration needs, and says which
// configuration that is; one that only sends a signal leaves nothing behind.
func TestBuiltinConfiguration(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		own  bool // a configuration is at the default path
		want bool
	}{
		{"start", nil, false, true},
		{"test", []string{"-t"}, false, true},
		{"signal", []string{"-s", "stop"}, false, false},
		{"named configuration", []string{"-c", "other.conf"}, false, false},
		{"own configuration", nil, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			prefix := filepath.Join(t.TempDir(), "new")
			if tt.own {
				if err := os.MkdirAll(filepath.Join(prefix, "conf"), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(prefix, build.ConfPath), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f, err := parse(append([]string{"-p", prefix}, tt.args...))
			if err != nil {
				t.Fatal(err)
			}
			o, err := f.options()
			if err != nil {
				t.Fatal(err)
			}
			if got := o.Starting != nil; got != tt.want {
				t.Errorf("says that the configuration is built in: %v", got)
			}
			for _, name := range []string{"logs", "html/index.html", "html/50x.html"} {
				_, err := os.Stat(filepath.Join(prefix, name))
				if got := err == nil; got != tt.want {
					t.Errorf("%s is there: %v", name, got)
				}
			}
		})
	}
}

// Pages of an administrator stay as they are.
func TestLayOutKeepsPages(t *testing.T) {
	prefix := t.TempDir() + "/"
	if err := os.Mkdir(prefix+"html", 0o700); err != nil {
		t.Fatal(err)
	}
	layOut(prefix)
	if files, err := os.ReadDir(prefix + "html"); err != nil || len(files) != 0 {
		t.Errorf("%v %v", files, err)
	}
}
