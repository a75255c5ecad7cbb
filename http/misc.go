package http

import (
	"net/netip"
	"slices"
	"strings"

	"moongate/conf"
	"moongate/core/build"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/core/resolver"
)

// locationCustomDirectives are the rows of the core module whose values are
// more than a word, a number or a time.
func locationCustomDirectives() []conf.Directive {
	const in, inIf = conf.HTTPAny, conf.HTTPAnyIf
	s := coreLoc
	rows := []conf.Directive{
		coreSrv.Custom("listen", conf.HTTPServer, conf.OneMore, listenDirective),
		coreSrv.Custom("server_name", conf.HTTPServer, conf.OneMore, serverNameDirective),
		PredicatesDirective(coreSrv, "client_body_early_read", conf.HTTPMain|conf.HTTPServer,
			func(c *ServerConf) *conf.Opt[Predicates] { return &c.ClientBodyEarlyRead }),

		conf.Command("location", conf.HTTPServer|conf.HTTPLocation, conf.Braces|conf.Take12, locationDirective),
		s.Custom("limit_except", conf.HTTPLocation, conf.Braces|conf.OneMore, limitExceptDirective),
		s.Custom("internal", conf.HTTPLocation, conf.NoArgs, internalDirective),
		s.Custom("root", inIf, conf.Take1, rootDirective),
		s.Custom("alias", conf.HTTPLocation, conf.Take1, rootDirective),
		s.Custom("types", in, conf.Braces|conf.NoArgs, typesDirective),
		s.Custom("error_page", inIf, conf.TwoMore, errorPageDirective),
		s.Custom("no_error_pages", inIf, conf.NoArgs, noErrorPagesDirective),
		s.Custom("error_log", in, conf.OneMore, errorLogDirective),
		s.Custom("client_body_temp_path", in, conf.Take1234, tempPathDirective),
		conf.Value(s, "aio", in, conf.Take1, func(c *LocConf) *conf.Opt[int] { return &c.AIO }, AIOOff, parseAIO),
		conf.Value(s, "directio", in, conf.Take1, func(c *LocConf) *conf.Opt[int64] { return &c.DirectIO }, DirectIOOff, parseDirectIO),
		conf.Value(s, "open_file_cache", in, conf.Take12,
			func(c *LocConf) *conf.Opt[*OpenFileCache] { return &c.OpenFileCache }, nil, parseOpenFileCache),
		conf.Value(s, "disable_symlinks", in, conf.Take12,
			func(c *LocConf) *conf.Opt[SymlinkRule] { return &c.DisableSymlinks }, SymlinkRule{}, parseSymlinkRule),
		conf.Value(s, "resolver", in, conf.OneMore,
			func(c *LocConf) *conf.Opt[*ResolverConf] { return &c.Resolver }, nil, ParseResolver),
		PredicatesDirective(s, "early_hints", in, func(c *LocConf) *conf.Opt[Predicates] { return &c.EarlyHints }),
	}
	return append(rows, gzipDirectives()...)
}

// mergeServer completes a server.
func mergeServer(cf *conf.Conf, _, s *ServerConf) error {
	if s.LargeClientHeaderBuffer.V.Size < s.ConnectionPoolSize.V {
		return cf.Errorf(`the "large_client_header_buffers" size must be equal to or greater than "connection_pool_size"`)
	}
	s.completeNames()
	return nil
}

// mergeLocation inherits what rows cannot express.
func mergeLocation(cf *conf.Conf, outer, l *LocConf) error {
	l.inheritRoot(cf, outer)
	if l.Types == nil {
		l.Types = outer.Types
	}
	if l.Types == nil {
		l.Types = defaultTypes
	}
	if l.ErrorPages == nil {
		l.ErrorPages = outer.ErrorPages
	}
	l.UpstreamTLS = l.UpstreamTLS || outer.UpstreamTLS
	l.GzipDisable.inherit(&outer.GzipDisable)
	l.inheritErrorLog(cf, outer)
	return l.inheritTempPath(cf, outer)
}

// errorLogDirective is "error_log"; all of one level write.
func errorLogDirective(cf *conf.Conf, l *LocConf) error {
	out, err := process.Of(cf.Cycle).LogOutput(cf)
	if err == nil {
		l.errorLogs = append(l.errorLogs, out)
	}
	return err
}

// inheritErrorLog makes the logger of the location; it stays nil for that of
// the main context.
func (l *LocConf) inheritErrorLog(cf *conf.Conf, outer *LocConf) {
	outer.openErrorLog(cf)
	l.openErrorLog(cf)
	if l.ErrorLog == nil {
		l.ErrorLog = outer.ErrorLog
	}
}

func (l *LocConf) openErrorLog(cf *conf.Conf) {
	if l.ErrorLog == nil && l.errorLogs != nil {
		l.ErrorLog = log.New(process.Of(cf.Cycle).LogEnv(), l.errorLogs...)
	}
}

// updateLog has the connection log where the location says.
func (r *Request) updateLog() {
	if !r.IsMain() {
		return
	}
	l := r.Core.ErrorLog
	if l == nil {
		l = r.Conn.Worker.Cycle.Log()
	}
	if l != r.Log.Logger() {
		r.Log = r.Log.WithLogger(l)
		r.Conn.Log = r.Conn.Log.WithLogger(l)
	}
}

// tempPathDirective is "client_body_temp_path path [level1 [level2 [level3]]]".
func tempPathDirective(cf *conf.Conf, l *LocConf) error {
	if l.ClientBodyTempPath.Set {
		return conf.ErrDuplicate
	}
	p, err := NewTempPath(cf)
	if err == nil {
		l.ClientBodyTempPath.Put(p)
	}
	return err
}

// NewTempPath reads the arguments of a *_temp_path directive.
func NewTempPath(cf *conf.Conf) (*TempPath, error) {
	p, err := process.ParsePath(cf)
	if err != nil {
		return nil, err
	}
	return AddTempPath(cf, p)
}

// DefaultTempPath is the value of a *_temp_path directive that is not given,
// with the lengths of the names of up to three levels of subfolders.
func DefaultTempPath(cf *conf.Conf, name string, levels ...int) (*TempPath, error) {
	at := *cf
	at.Directive = nil
	p := &process.Path{Name: name}
	copy(p.Levels[:], levels)
	return AddTempPath(&at, p)
}

// AddTempPath registers a folder that temporary files can be made in.
func AddTempPath(cf *conf.Conf, p *process.Path) (*TempPath, error) {
	engine := process.Of(cf.Cycle)
	p, err := engine.AddPath(cf, p)
	if err != nil {
		return nil, err
	}
	return &TempPath{p, func() uint64 { return engine.Shared().TempNumber.Add(1) }}, nil
}

func (l *LocConf) inheritTempPath(cf *conf.Conf, outer *LocConf) (err error) {
	switch {
	case l.ClientBodyTempPath.Set:
		return nil
	case outer.ClientBodyTempPath.V == nil:
		outer.ClientBodyTempPath.V, err = DefaultTempPath(cf, build.ClientBody)
	}
	l.ClientBodyTempPath.V = outer.ClientBodyTempPath.V
	return err
}

// parseAIO reads "aio on | off | threads[=pool]".
func parseAIO(cf *conf.Conf) (int, error) {
	arg := cf.Args[0]
	switch arg {
	case "off":
		return AIOOff, nil
	case "on":
		return AIOOn, nil
	case "threads":
		process.UseThreadPool(cf, "")
		return AIOThreads, nil
	}
	pool, ok := strings.CutPrefix(arg, "threads=")
	if !ok {
		return 0, errInvalid
	}
	c, err := CompileArg(cf, pool)
	if err != nil {
		return 0, err
	}
	// All pools share the threads, so that only a fixed name says something:
	// whether it is known.
	if c.Static() {
		process.UseThreadPool(cf, pool)
	}
	return AIOThreads, nil
}

// DirectIOOff is the value of "directio off".
const DirectIOOff int64 = -1

// parseDirectIO reads "directio size | off".
func parseDirectIO(cf *conf.Conf) (int64, error) {
	if cf.Args[0] == "off" {
		return DirectIOOff, nil
	}
	n, ok := conf.ParseOffset(cf.Args[0])
	if !ok {
		return 0, errInvalid
	}
	return n, nil
}

// ResolverConf is a "resolver" directive. The resolver itself lives on the
// loop of the worker.
type ResolverConf struct {
	Config resolver.Config

	cycle    *process.Cycle
	resolver *resolver.Resolver
}

// On returns the resolver of the directive on a worker's loop.
func (c *ResolverConf) On(loop *event.Loop) *resolver.Resolver {
	if c.resolver == nil {
		c.Config.Log = c.cycle.Log().With(nil, 0)
		c.resolver = resolver.New(loop, c.Config)
	}
	return c.resolver
}

// ParseResolver reads "resolver address … [valid=time] [ipv4=on|off] [ipv6=on|off]
// [status_zone=name]"; the last is the commercial nginx's, and has no effect.
func ParseResolver(cf *conf.Conf) (*ResolverConf, error) {
	args := slices.DeleteFunc(slices.Clone(cf.Args), func(arg string) bool {
		ignored := strings.HasPrefix(arg, "status_zone=")
		if ignored {
			cf.Warnf(`the parameter "%s" is ignored`, arg)
		}
		return ignored
	})
	c, err := resolver.Parse(args, func(server string) ([]netip.AddrPort, error) {
		u, err := ParseURL(cf, server, URLOptions{DefaultPort: resolver.DefaultPort})
		if err != nil {
			return nil, err
		}
		var addrs []netip.AddrPort
		for _, a := range u.Addrs {
			if a.Unix == "" {
				addrs = append(addrs, a.IP)
			}
		}
		return addrs, nil
	})
	if err != nil {
		return nil, cf.Errorf("%s", err)
	}
	return &ResolverConf{Config: c, cycle: process.Of(cf.Cycle)}, nil
}
