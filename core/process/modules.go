package process

import (
	"fmt"
	"strings"

	"moongate/conf"
)

// Modules are the modules of this package, the first of every server.
var Modules = []*conf.Module{CoreModule, ErrorLogModule, EventsModule, ThreadPoolModule, RegexModule, EngineModule, ObjectsModule}

// RegexModule has the one directive of nginx's ngx_regex_module.
var RegexModule = &conf.Module{
	Name:  "regex",
	Slots: []conf.AnySlot{regexSlot},
	Directives: []conf.Directive{
		regexSlot.Flag("pcre_jit", conf.Main, func(r *regexConf) *conf.Opt[bool] { return &r.jit }, false,
			func(cf *conf.Conf, on *bool) error {
				if *on {
					cf.Warnf("PCRE2 library does not support JIT")
					*on = false
				}
				return nil
			}),
	},
}

type regexConf struct{ jit conf.Opt[bool] }

var regexSlot = &conf.Slot[regexConf]{}

// EngineModule refuses hardware engines of OpenSSL, which is not there.
var EngineModule = &conf.Module{
	Name: "openssl",
	Directives: []conf.Directive{
		conf.Command("ssl_engine", conf.Main, conf.Take1, func(cf *conf.Conf) error {
			return cf.Errorf(`ENGINE_by_id("%s") failed (moongate has no OpenSSL and knows no engines)`, cf.Args[0])
		}),
	},
}

// ThreadPool is a named limit of the threads that do blocking file I/O
// (ngx_thread_pool_t).
type ThreadPool struct {
	Name              string
	Threads, MaxQueue int64

	declared bool
	file     string // where it was mentioned first
	line     int
}

type threadPools struct{ list []*ThreadPool }

var poolSlot = &conf.Slot[threadPools]{}

// ThreadPoolModule has the thread_pool directive.
var ThreadPoolModule = &conf.Module{
	Name:       "thread_pool",
	Slots:      []conf.AnySlot{poolSlot},
	Directives: []conf.Directive{poolSlot.Custom("thread_pool", conf.Main, conf.Take23, threadPool)},
}

// The pool that "aio threads" uses without naming one.
const (
	defaultPool     = "default"
	defaultThreads  = 32
	defaultMaxQueue = 65536
)

func threadPool(cf *conf.Conf, _ *threadPools) error {
	p := UseThreadPool(cf, cf.Args[0])
	if p.declared {
		return cf.Errorf(`duplicate thread pool "%s"`, p.Name)
	}
	p.declared, p.MaxQueue = true, defaultMaxQueue
	for _, arg := range cf.Args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		n, ok := conf.ParseInt(value)
		switch {
		case name == "threads" && (!ok || n == 0):
			return cf.Errorf(`invalid threads value "%s"`, arg)
		case name == "threads":
			p.Threads = n
		case name == "max_queue" && !ok:
			return cf.Errorf(`invalid max_queue value "%s"`, arg)
		case name == "max_queue":
			p.MaxQueue = n
		}
	}
	if p.Threads == 0 {
		return cf.Errorf(`"%s" must have "threads" parameter`, cf.Name)
	}
	return nil
}

// UseThreadPool returns the pool of that name, "" for the default one; that it
// is declared is checked when the configuration is complete.
func UseThreadPool(cf *conf.Conf, name string) *ThreadPool {
	if name == "" {
		name = defaultPool
	}
	pools := poolSlot.Of(cf.Cycle.Scope)
	for _, p := range pools.list {
		if p.Name == name {
			return p
		}
	}
	p := &ThreadPool{Name: name}
	p.file, p.line = cf.Place()
	pools.list = append(pools.list, p)
	return p
}

// ThreadPoolOf returns the pool of that name in a complete configuration, nil
// when there is none (ngx_thread_pool_get).
func ThreadPoolOf(c *conf.Cycle, name string) *ThreadPool {
	for _, p := range poolSlot.Of(c.Scope).list {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// UsedThreads is how many threads the pools of a configuration have together,
// 0 when it uses none. One set of threads serves them all.
func UsedThreads(c *conf.Cycle) (n int64) {
	for _, p := range poolSlot.Of(c.Scope).list {
		n += p.Threads
	}
	return n
}

func (t *threadPools) complete() error {
	for _, p := range t.list {
		switch {
		case p.declared:
		case p.Name == defaultPool:
			p.Threads, p.MaxQueue = defaultThreads, defaultMaxQueue
		default:
			return &conf.Error{Msg: fmt.Sprintf(`unknown thread pool "%s"`, p.Name), File: p.file, Line: p.line}
		}
	}
	return nil
}
