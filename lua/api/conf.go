package api

import (
	"errors"
	"os"
	"strings"
	"time"

	"moongate/conf"
	"moongate/core/process"
	"moongate/lua/vm"
)

// MainConf are the lua_* settings of the http block.
type MainConf struct {
	PackagePath, PackageCPath                          string
	envPath, envCPath                                  string // LUA_PATH and LUA_CPATH
	MaxPendingTimers, MaxRunningTimers                 conf.Opt[int64]
	RegexCacheMax, RegexMatchLimit                     conf.Opt[int64]
	ThreadCacheMax, WorkerThreadPool                   conf.Opt[int64]
	SARestart                                          conf.Opt[bool]
	RewriteNoPostpone, AccessNoPostpone, PreNoPostpone conf.Opt[bool]
	RequestGlobals                                     conf.Opt[bool]
	CaptureErrorLog                                    conf.Opt[int64]
	// Dicts are the shared dictionaries in the order of their declaration.
	Dicts []*Dict

	// Bare is the configuration of code that runs without a request and was not made by one.
	Bare *conf.Scope
	// Engine is the Lua side of this process, once it has been started.
	Engine *Engine
}

// LocConf are the lua_* settings of a location.
type LocConf struct {
	CodeCache, NeedRequestBody, TransformUnderscores conf.Opt[bool]
	SocketLogErrors, HTTP10Buffering                 conf.Opt[bool]
	CheckClientAbort, UseDefaultType                 conf.Opt[bool]

	KeepaliveTimeout, ConnectTimeout, SendTimeout, ReadTimeout conf.Opt[time.Duration]
	SendLowat, BufferSize, PoolSize                            conf.Opt[int64]

	SSLProtocols                        conf.Opt[int]
	SSLVerifyDepth                      conf.Opt[int64]
	SSLCiphers, SSLTrusted, SSLCRL      conf.Opt[string]
	SSLKeyLog                           conf.Opt[string]
	SSLCertificates, SSLCertificateKeys conf.Opt[[]string]
	SSLCommands                         conf.Opt[[][2]string]
	ssl                                 *sslContext
}

// The slots of the settings.
var (
	Main = &conf.Slot[MainConf]{Level: conf.LevelMain}
	Loc  = &conf.Slot[LocConf]{Level: conf.LevelLocation, Merge: mergeSSL}
)

const inAny, inIf = conf.HTTPAny, conf.HTTPAnyIf

// Directives are the rows of the lua_* settings.
func Directives() []conf.Directive {
	rows := append(mainDirectives(), locDirectives()...)
	return append(rows, sslDirectives()...)
}

func mainDirectives() []conf.Directive {
	m, in := Main, conf.HTTPMain
	flag := func(name string, f func(*MainConf) *conf.Opt[bool], def bool) conf.Directive {
		return m.Flag(name, in, f, def)
	}
	num := func(name string, f func(*MainConf) *conf.Opt[int64], def int64) conf.Directive {
		return m.Num(name, in, f, def)
	}
	return []conf.Directive{
		m.Custom("lua_package_path", in, conf.Take1, once(func(c *MainConf) *string { return &c.PackagePath })),
		m.Custom("lua_package_cpath", in, conf.Take1, once(func(c *MainConf) *string { return &c.PackageCPath })),
		num("lua_max_pending_timers", func(c *MainConf) *conf.Opt[int64] { return &c.MaxPendingTimers }, 1024),
		num("lua_max_running_timers", func(c *MainConf) *conf.Opt[int64] { return &c.MaxRunningTimers }, 256),
		num("lua_regex_cache_max_entries", func(c *MainConf) *conf.Opt[int64] { return &c.RegexCacheMax }, 1024),
		num("lua_regex_match_limit", func(c *MainConf) *conf.Opt[int64] { return &c.RegexMatchLimit }, 0),
		num("lua_thread_cache_max_entries", func(c *MainConf) *conf.Opt[int64] { return &c.ThreadCacheMax }, 1024),
		num("lua_worker_thread_vm_pool_size", func(c *MainConf) *conf.Opt[int64] { return &c.WorkerThreadPool }, 10),
		m.Custom("lua_malloc_trim", in, conf.Take1, mallocTrim),
		flag("lua_sa_restart", func(c *MainConf) *conf.Opt[bool] { return &c.SARestart }, true),
		// A directive of Moongate: with it a global that a request sets is gone with the request.
		flag("lua_request_globals", func(c *MainConf) *conf.Opt[bool] { return &c.RequestGlobals }, false),
		flag("rewrite_by_lua_no_postpone", func(c *MainConf) *conf.Opt[bool] { return &c.RewriteNoPostpone }, false),
		flag("access_by_lua_no_postpone", func(c *MainConf) *conf.Opt[bool] { return &c.AccessNoPostpone }, false),
		flag("precontent_by_lua_no_postpone", func(c *MainConf) *conf.Opt[bool] { return &c.PreNoPostpone }, false),
		m.Custom("lua_load_resty_core", in, conf.FlagArg, func(cf *conf.Conf, _ *MainConf) error {
			cf.Warnf("lua_load_resty_core is deprecated (the lua-resty-core library is required since ngx_lua v0.10.16)")
			return nil
		}),
		m.Size("lua_capture_error_log", in, func(c *MainConf) *conf.Opt[int64] { return &c.CaptureErrorLog }, 0,
			func(cf *conf.Conf, v *int64) error {
				if *v < minErrorLogBuffer {
					return cf.Errorf("invalid capture error log size \"%s\", minimum size is %d", cf.Args[0], minErrorLogBuffer)
				}
				return nil
			}),
		m.Custom("lua_shared_dict", in, conf.Take2, sharedDict),
	}
}

// once takes a string that may be given again after an empty one.
func once(field func(*MainConf) *string) func(*conf.Conf, *MainConf) error {
	return func(cf *conf.Conf, c *MainConf) error {
		s := field(c)
		if *s != "" {
			return conf.ErrDuplicate
		}
		*s = cf.Args[0]
		return nil
	}
}

// mallocTrim is "lua_malloc_trim requests": Go gives its memory back by itself.
func mallocTrim(cf *conf.Conf, _ *MainConf) error {
	if _, ok := conf.ParseInt(cf.Args[0]); !ok {
		return errors.New("invalid number in the 1st argument")
	}
	return nil
}

// minErrorLogBuffer is the least that lua_capture_error_log may reserve, in bytes.
const minErrorLogBuffer = 4096

func locDirectives() []conf.Directive {
	s := Loc
	flag := func(name string, f func(*LocConf) *conf.Opt[bool], def bool) conf.Directive {
		return s.Flag(name, inIf, f, def)
	}
	msec := func(name string, f func(*LocConf) *conf.Opt[time.Duration], def time.Duration) conf.Directive {
		return s.Msec(name, inIf, f, def)
	}
	return []conf.Directive{
		s.Flag("lua_code_cache", inIf, func(c *LocConf) *conf.Opt[bool] { return &c.CodeCache }, true,
			func(cf *conf.Conf, on *bool) error {
				if !*on {
					cf.Logf(conf.LogAlert, "lua_code_cache is off; this will hurt performance")
				}
				return nil
			}),
		flag("lua_need_request_body", func(c *LocConf) *conf.Opt[bool] { return &c.NeedRequestBody }, false),
		flag("lua_transform_underscores_in_response_headers", func(c *LocConf) *conf.Opt[bool] { return &c.TransformUnderscores }, true),
		flag("lua_socket_log_errors", func(c *LocConf) *conf.Opt[bool] { return &c.SocketLogErrors }, true),
		flag("lua_http10_buffering", func(c *LocConf) *conf.Opt[bool] { return &c.HTTP10Buffering }, true),
		flag("lua_check_client_abort", func(c *LocConf) *conf.Opt[bool] { return &c.CheckClientAbort }, false),
		flag("lua_use_default_type", func(c *LocConf) *conf.Opt[bool] { return &c.UseDefaultType }, true),
		msec("lua_socket_keepalive_timeout", func(c *LocConf) *conf.Opt[time.Duration] { return &c.KeepaliveTimeout }, time.Minute),
		msec("lua_socket_connect_timeout", func(c *LocConf) *conf.Opt[time.Duration] { return &c.ConnectTimeout }, time.Minute),
		msec("lua_socket_send_timeout", func(c *LocConf) *conf.Opt[time.Duration] { return &c.SendTimeout }, time.Minute),
		msec("lua_socket_read_timeout", func(c *LocConf) *conf.Opt[time.Duration] { return &c.ReadTimeout }, time.Minute),
		s.Size("lua_socket_send_lowat", inIf, func(c *LocConf) *conf.Opt[int64] { return &c.SendLowat }, 0,
			func(cf *conf.Conf, v *int64) error {
				cf.Warnf(`"lua_send_lowat" is not supported, ignored`)
				*v = 0
				return nil
			}),
		s.Size("lua_socket_buffer_size", inIf, func(c *LocConf) *conf.Opt[int64] { return &c.BufferSize }, 4096),
		s.Num("lua_socket_pool_size", inIf, func(c *LocConf) *conf.Opt[int64] { return &c.PoolSize }, 30),
	}
}

// Bits of lua_ssl_protocols.
const (
	SSLv2 = 1 << iota
	SSLv3
	TLSv1
	TLSv11
	TLSv12
	TLSv13
)

func sslDirectives() []conf.Directive {
	s := Loc
	str := func(name string, f func(*LocConf) *conf.Opt[string]) conf.Directive { return s.Str(name, inAny, f, "") }
	list := func(name string, f func(*LocConf) *conf.Opt[[]string]) conf.Directive {
		return conf.Repeat(s, name, inAny, conf.Take1, f, nil, func(cf *conf.Conf, o *conf.Opt[[]string]) error {
			o.Put(append(o.V, cf.Args[0]))
			return nil
		})
	}
	return []conf.Directive{
		s.Bitmask("lua_ssl_protocols", inAny, func(c *LocConf) *conf.Opt[int] { return &c.SSLProtocols }, TLSv1|TLSv11|TLSv12|TLSv13,
			[]conf.Word{{Name: "SSLv2", Value: SSLv2}, {Name: "SSLv3", Value: SSLv3}, {Name: "TLSv1", Value: TLSv1},
				{Name: "TLSv1.1", Value: TLSv11}, {Name: "TLSv1.2", Value: TLSv12}, {Name: "TLSv1.3", Value: TLSv13}}),
		s.Str("lua_ssl_ciphers", inAny, func(c *LocConf) *conf.Opt[string] { return &c.SSLCiphers }, defaultCiphers),
		s.Num("lua_ssl_verify_depth", inAny, func(c *LocConf) *conf.Opt[int64] { return &c.SSLVerifyDepth }, 1),
		str("lua_ssl_trusted_certificate", func(c *LocConf) *conf.Opt[string] { return &c.SSLTrusted }),
		str("lua_ssl_crl", func(c *LocConf) *conf.Opt[string] { return &c.SSLCRL }),
		str("lua_ssl_key_log", func(c *LocConf) *conf.Opt[string] { return &c.SSLKeyLog }),
		list("lua_ssl_certificate", func(c *LocConf) *conf.Opt[[]string] { return &c.SSLCertificates }),
		list("lua_ssl_certificate_key", func(c *LocConf) *conf.Opt[[]string] { return &c.SSLCertificateKeys }),
		conf.Repeat(s, "lua_ssl_conf_command", inAny, conf.Take2, func(c *LocConf) *conf.Opt[[][2]string] { return &c.SSLCommands }, nil,
			func(cf *conf.Conf, o *conf.Opt[[][2]string]) error {
				o.Put(append(o.V, [2]string{cf.Args[0], cf.Args[1]}))
				return nil
			}),
	}
}

// ReadEnvironment takes LUA_PATH and LUA_CPATH of the master's environment, in which nginx makes the VM: no env directive
// need name them.
func (m *MainConf) ReadEnvironment(cycle *process.Cycle) error {
	paths, err := cycle.Recall("search paths of Lua", func() ([]string, error) {
		return []string{os.Getenv("LUA_PATH"), os.Getenv("LUA_CPATH")}, nil
	})
	if err == nil {
		m.envPath, m.envCPath = paths[0], paths[1]
	}
	return err
}

// options are those of every VM: where modules are looked for.
func (e *Engine) options() vm.Options {
	m, prefix := e.Main, e.Cycle.Conf.Prefix
	idle := int(m.ThreadCacheMax.V)
	if idle == 0 {
		idle = -1
	}
	return vm.Options{
		IdleThreads: idle,
		PackagePath: searchPath(m.PackagePath, prefix), PackageCPath: searchPath(m.PackageCPath, prefix),
		EnvPath: m.envPath, EnvCPath: m.envCPath,
		SharedGlobals: !m.RequestGlobals.V,
	}
}

// searchPath replaces $prefix in lua_package_path and lua_package_cpath.
func searchPath(path, prefix string) string {
	return strings.NewReplacer("${prefix}", prefix, "$prefix", prefix).Replace(path)
}
