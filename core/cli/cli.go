// Package cli is the command line of the server: nginx's options, their
// defaults and what -v, -V and -h print (src/core/nginx.c). What the options
// ask for is done by core/process.
package cli

import (
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"

	"moongate/conf"
	defaults "moongate/conf/default"
	"moongate/core/build"
	"moongate/core/log"
	"moongate/core/process"
)

// Main runs the binary made of modules: a server, one of its processes, or a
// command to it. It returns the exit status.
func Main(modules []*conf.Module) int {
	reg := conf.NewRegistry(modules...)
	process.RunChild(reg)
	// The process title takes the memory of the arguments, so what is kept of
	// them has to be a copy.
	args := make([]string, 0, len(os.Args))
	for _, a := range os.Args[1:] {
		args = append(args, strings.Clone(a))
	}
	f, err := parse(args)
	if err != nil {
		complain(err)
		return 1
	}
	if f.version {
		f.showVersion(reg)
		if !f.test {
			return 0
		}
	}
	o, err := f.options()
	if err != nil {
		complain(err)
		return 1
	}
	o.Registry = reg
	return process.Main(o)
}

// options completes the command line with the defaults of the build.
func (f *flags) options() (*process.CommandLine, error) {
	o := &process.CommandLine{
		Prefix: withSlash(build.Prefix), ErrorLog: process.DefaultErrorLog(), Param: f.param,
		Test: f.test, Quiet: f.quiet, Dump: f.dump, Signal: f.signal,
	}
	if f.hasPrefix {
		o.Prefix = withSlash(f.prefix)
	}
	if o.Prefix == "" {
		wd, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		o.Prefix = withSlash(wd)
	}
	if f.hasErrorLog {
		o.ErrorLog = f.errorLog
	}
	name := build.ConfPath
	if f.hasConf {
		name = f.conf
	}
	o.File = full(o.Prefix, name)
	o.ConfPrefix = conf.Dir(o.File)
	src := &source{builtin: !f.hasConf, file: o.File, dir: o.ConfPrefix}
	o.Source = src
	if o.Signal != "" || f.hasConf || !src.missing() {
		return o, nil
	}
	o.Starting = func(l *log.Logger) {
		l.Log(log.Warn, nil, `there is no "%s", using the built-in configuration`, o.File)
	}
	layOut(o.Prefix)
	return o, nil
}

// layOut makes what the built-in configuration needs below the prefix and
// nothing has installed: the folders of the logs and, with its pages, the one
// of the files to serve. A binary that came alone starts with that. What cannot
// be made is reported by its first use, in nginx's words.
func layOut(prefix string) {
	for _, file := range []string{build.ErrorLogPath, build.HTTPLogPath, build.PidPath} {
		if !path.IsAbs(file) { // otherwise the build's own choice, and its to make
			_ = os.MkdirAll(path.Dir(prefix+file), 0o755)
		}
	}
	html := prefix + "html"
	if _, err := os.Stat(html); err == nil {
		return
	}
	if pages, err := fs.Sub(defaults.Files, "html"); err == nil {
		_ = os.CopyFS(html, pages)
	}
}

func withSlash(dir string) string {
	if dir != "" && !strings.HasSuffix(dir, "/") {
		dir += "/"
	}
	return dir
}

func full(prefix, name string) string {
	if path.IsAbs(name) {
		return name
	}
	return prefix + name
}

// showVersion prints what -v, -V and -h ask for.
func (f *flags) showVersion(reg *conf.Registry) {
	text := "nginx version: nginx/" + build.NginxVersion + " (moongate " + build.Version + ")\n"
	if f.help {
		errorLog := build.ErrorLogPath
		if process.DefaultErrorLog() == "" {
			errorLog = "stderr"
		}
		text += usage(withSlash(build.Prefix), errorLog, build.ConfPath)
	}
	if f.configure {
		text += "built by " + runtime.Version() + "\n" +
			"built with OpenSSL " + build.OpenSSLVersion + " (in its place: crypto/tls)\n" +
			"TLS SNI support enabled\n" +
			"configure arguments: " + strings.Join(Arguments(reg), " ") + "\n"
	}
	stderr(text)
}
