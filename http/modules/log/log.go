// Package log writes access logs: nginx's ngx_http_log_module.
package log

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/build"
	corelog "moongate/core/log"
	"moongate/core/process"
	"moongate/http"
)

// mainConf is what there is once: the formats and the memory in which lines
// are put together.
type mainConf struct {
	formats []*format
	line    []byte
	buffers map[*corelog.File]*buffer
}

// locConf is what a location says.
type locConf struct {
	logs  []*accessLog
	off   bool
	files conf.Opt[http.LogFileCache]

	escapeNonASCII conf.Opt[bool]
}

// accessLog is one access_log. Exactly one of file, path and syslog is set.
type accessLog struct {
	file   *corelog.File
	path   *http.Complex
	syslog *corelog.Syslog
	buffer *buffer // the file's, nil for none

	format *format
	filter *http.Complex

	// In the second diskFull nothing is written, so as not to wait for a full
	// file system; complained is the second of the last complaint.
	diskFull, complained int64
}

var (
	mainSlot = &conf.Slot[mainConf]{Level: conf.LevelMain, New: newMainConf}
	locSlot  = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: mergeLoc}
)

// Module is the access log.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_log",
		Slots: []conf.AnySlot{mainSlot, locSlot},
		Directives: []conf.Directive{
			mainSlot.Custom("log_format", conf.HTTPMain, conf.TwoMore, formatDirective),
			locSlot.Custom("access_log", conf.HTTPAnyIf|conf.HTTPLimitExcept, conf.OneMore, accessLogDirective),
			conf.Value(locSlot, "open_log_file_cache", conf.HTTPAny, conf.Take1234,
				func(c *locConf) *conf.Opt[http.LogFileCache] { return &c.files }, http.LogFileCache{}, parseFileCache),
			locSlot.Flag("log_escape_non_ascii", conf.HTTPAny, func(c *locConf) *conf.Opt[bool] { return &c.escapeNonASCII }, true),
		},
	},
	Init: func(cf *conf.Conf, m *http.MainConf) error {
		m.Handle(http.PhaseLog, locSlot.Where(func(c *locConf) bool { return !c.off && c.logs != nil }), handler)
		return mainSlot.Of(cf.Scope).formats[0].compileCombined(cf, m)
	},
}

func newMainConf() *mainConf {
	return &mainConf{formats: []*format{{name: "combined"}}, buffers: map[*corelog.File]*buffer{}}
}

// mergeLoc inherits the logs of the outer block, and gives the outermost one
// its default.
func mergeLoc(cf *conf.Conf, outer, l *locConf) error {
	if l.logs != nil || l.off {
		return nil
	}
	l.logs, l.off = outer.logs, outer.off
	if l.logs != nil || l.off {
		return nil
	}
	main := mainSlot.Of(cf.Scope)
	main.formats[0].used = true
	file := process.Of(cf.Cycle).Files.Add(cf.Cycle.Path(build.HTTPLogPath))
	l.logs = []*accessLog{{file: file, format: main.formats[0], buffer: main.buffers[file]}}
	return nil
}

// accessLogDirective is "access_log path [format [buffer=size] [gzip[=level]]
// [flush=time] [if=condition]]" or "access_log off".
func accessLogDirective(cf *conf.Conf, l *locConf) error {
	args := cf.Args
	if args[0] == "off" {
		l.off = true
		if len(args) > 1 {
			return cf.Errorf(`invalid parameter "%s"`, args[1])
		}
		return nil
	}
	a := &accessLog{}
	l.logs = append(l.logs, a)
	if err := a.setTarget(cf); err != nil {
		return err
	}
	name := "combined"
	if len(args) > 1 {
		name = args[1]
	}
	if a.format = mainSlot.Of(cf.Scope).find(name); a.format == nil {
		return cf.Errorf(`unknown log format "%s"`, name)
	}
	a.format.used = true
	var p bufferParams
	for _, arg := range args[min(2, len(args)):] {
		if err := a.setParameter(cf, &p, arg); err != nil {
			return err
		}
	}
	return a.setBuffer(cf, &p)
}

// setTarget decides where the lines go.
func (a *accessLog) setTarget(cf *conf.Conf) (err error) {
	cycle, target := process.Of(cf.Cycle), cf.Args[0]
	switch {
	case strings.HasPrefix(target, "syslog:"):
		if a.syslog, err = corelog.ParseSyslog(target, cycle.LogEnv()); err != nil {
			return cf.Errorf("%s", err)
		}
		a.syslog.Report = cycle.Log
	case strings.Contains(target, "$"):
		a.path, err = http.CompileArg(cf, cf.Cycle.Path(target))
	case target == "":
		a.file = cycle.Files.Add("") // the standard error
	default:
		a.file = cycle.Files.Add(cf.Cycle.Path(target))
	}
	return err
}

// setParameter reads what follows the format.
func (a *accessLog) setParameter(cf *conf.Conf, p *bufferParams, arg string) (err error) {
	name, value, _ := strings.Cut(arg, "=")
	switch {
	case strings.HasPrefix(arg, "buffer="):
		var ok bool
		if p.size, ok = conf.ParseSize(value); !ok || p.size == 0 {
			return cf.Errorf(`invalid buffer size "%s"`, value)
		}
	case strings.HasPrefix(arg, "flush="):
		var ok bool
		if p.flush, ok = conf.ParseMsec(value); !ok || p.flush == 0 {
			return cf.Errorf(`invalid flush time "%s"`, value)
		}
	case name == "gzip":
		if p.size == 0 {
			p.size = defaultGzipBuffer
		}
		p.gzip = bestSpeed
		if arg != "gzip" {
			level, ok := conf.ParseInt(value)
			if !ok || level < 1 || level > 9 {
				return cf.Errorf(`invalid compression level "%s"`, value)
			}
			p.gzip = int(level)
		}
	case strings.HasPrefix(arg, "if="):
		a.filter, err = http.CompileArg(cf, value)
	default:
		return cf.Errorf(`invalid parameter "%s"`, arg)
	}
	return err
}

// parseFileCache reads "open_log_file_cache off | max=n [inactive=time]
// [min_uses=n] [valid=time]".
func parseFileCache(cf *conf.Conf) (http.LogFileCache, error) {
	c := http.LogFileCache{Valid: time.Minute, MinUses: 1}
	limit, inactive, off := int64(0), 10*time.Second, false
	for _, arg := range cf.Args {
		name, value, _ := strings.Cut(arg, "=")
		ok := false
		switch {
		case arg == "off":
			off, ok = true, true
		case name == "max":
			limit, ok = conf.ParseInt(value)
		case name == "inactive":
			inactive, ok = conf.ParseSec(value)
		case name == "min_uses":
			c.MinUses, ok = conf.ParseInt(value)
		case name == "valid":
			c.Valid, ok = conf.ParseSec(value)
		}
		if !ok {
			return c, cf.Errorf(`invalid "open_log_file_cache" parameter "%s"`, arg)
		}
	}
	switch {
	case off:
		return http.LogFileCache{}, nil
	case limit == 0:
		return c, cf.Errorf(`"open_log_file_cache" must have "max" parameter`)
	}
	c.Cache = http.NewOpenFileCache(int(limit), inactive)
	return c, nil
}

// handler writes the request to all its logs.
func handler(r *http.Request) http.Verdict {
	l := locSlot.Of(r.Scope)
	main := mainSlot.Of(r.Scope)
	for _, a := range l.logs {
		if a.filter != nil {
			if v := a.filter.Eval(r); v == "" || v == "0" {
				continue
			}
		}
		if a.diskFull != 0 && a.diskFull == r.Loop().Now().Unix() {
			continue
		}
		line := append(a.format.append(main.line[:0], r), '\n')
		a.write(r, line)
		if cap(line) <= keptLine {
			main.line = line
		}
	}
	return http.OK
}

// keptLine is the largest memory for a line that is kept for the next one.
const keptLine = 64 << 10

// write sends one line on its way.
func (a *accessLog) write(r *http.Request, line []byte) {
	switch {
	case a.syslog != nil:
		a.syslog.Send(line[:len(line)-1])
	case a.path != nil:
		a.writePath(r, line)
	case a.buffer != nil:
		a.buffer.add(a, r, line)
	default:
		n, err := unix.Write(a.file.FD(), line)
		a.written(r, a.file.Name, n, len(line), err)
	}
}

// writePath writes to a file whose name has variables. It is opened only when
// the document root exists, so that any Host does not make a file.
func (a *accessLog) writePath(r *http.Request, line []byte) {
	path, root, ok := r.MapPathRoot()
	if !ok {
		return
	}
	info, ferr := r.OpenFile(path[:root], http.FileOptions{TestOnly: true, TestDir: true})
	switch {
	case ferr != nil:
		r.Logf(corelog.Error, ferr.Errno, `testing "%s" existence failed`, path[:root])
		return
	case !info.IsDir:
		r.Logf(corelog.Error, unix.ENOTDIR, `testing "%s" existence failed`, path[:root])
		return
	}
	name := a.path.Eval(r)
	file, ferr := r.OpenLog(name, locSlot.Of(r.Scope).files.V)
	if ferr != nil {
		r.Logf(corelog.Crit, ferr.Errno, `%s "%s" failed`, ferr.Call, name)
		return
	}
	if file.FD < 0 {
		r.Logf(corelog.Crit, unix.EISDIR, `open() "%s" failed`, name)
		return
	}
	n, err := unix.Write(file.FD, line)
	a.written(r, name, n, len(line), err)
}

// complainEvery is the number of seconds between complaints about one log.
const complainEvery = 60

// written takes note of how writing went.
func (a *accessLog) written(r *http.Request, name string, n, size int, err error) {
	if err == nil && n == size {
		return
	}
	now := r.Loop().Now().Unix()
	if err == unix.ENOSPC {
		a.diskFull = now
	}
	if now-a.complained < complainEvery {
		return
	}
	a.complained = now
	if err != nil {
		r.Logf(corelog.Alert, err, `write() to "%s" failed`, name)
		return
	}
	r.Logf(corelog.Alert, nil, `write() to "%s" was incomplete: %d of %d`, name, n, size)
}
