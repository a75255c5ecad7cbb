package http

import (
	"os"
	"time"

	"moongate/conf"
	"moongate/core/log"
	"moongate/core/tls"
)

// The core module's slots. They are unexported so that everyone reaches the
// structs the same way: MainOf, Request.Server and Request.Core.
var (
	coreMain = &conf.Slot[MainConf]{Level: conf.LevelMain, New: newMainConf}
	coreSrv  = &conf.Slot[ServerConf]{Level: conf.LevelServer, Merge: mergeServer}
	coreLoc  = &conf.Slot[LocConf]{Level: conf.LevelLocation, Merge: mergeLocation}
)

// MainOf returns the core module's main configuration while an http block is
// being read.
func MainOf(cf *conf.Conf) *MainConf { return coreMain.Of(cf.Scope) }

// ServerOf returns the server block that is being read, or whose locations are
// being merged.
func ServerOf(cf *conf.Conf) *ServerConf { return coreSrv.Of(cf.Scope) }

// LocOf returns the core module's location configuration of the block being
// read.
func LocOf(cf *conf.Conf) *LocConf { return coreLoc.Of(cf.Scope) }

// MainConf is what exists once per http block.
type MainConf struct {
	VariablesHashMaxSize, VariablesHashBucketSize     conf.Opt[int64]
	ServerNamesHashMaxSize, ServerNamesHashBucketSize conf.Opt[int64]

	// Servers are the server blocks in their order.
	Servers []*ServerConf
	// Options are the composition root's.
	Options *Options
	// AppendSet is how the rewrite module takes what AddSet adds.
	AppendSet func(cf *conf.Conf, variable string, values []string, f SetFunc) error
	// SetVars are the directives that Lua code can call as ndk.set_var.NAME.
	SetVars SetVars
	// UpstreamHandshake, when not nil, lets code take part in the TLS handshake
	// with an upstream server.
	UpstreamHandshake func(r *Request, o *tls.ClientOptions)

	scope    *conf.Scope
	vars     variables
	engine   engine
	handlers [numPhases][]placed
	plans    map[string]*plan
	ports    []*Port
	worker   *Worker // in a worker process
	regexes  *regexPool
}

// Scope returns the configuration of the http block itself, where the modules
// keep what there is once.
func (m *MainConf) Scope() *conf.Scope { return m.scope }

func newMainConf() *MainConf {
	return &MainConf{vars: variables{named: map[string]*Variable{}, byIndex: map[string]*Variable{}}, SetVars: SetVars{}}
}

// ServerConf is a server block.
type ServerConf struct {
	ConnectionPoolSize      conf.Opt[int64]
	RequestPoolSize         conf.Opt[int64]
	ClientHeaderTimeout     conf.Opt[time.Duration]
	ClientHeaderBufferSize  conf.Opt[int64]
	LargeClientHeaderBuffer conf.Opt[conf.Bufs]
	MaxHeaders              conf.Opt[int64]
	IgnoreInvalidHeaders    conf.Opt[bool]
	MergeSlashes            conf.Opt[bool]
	UnderscoresInHeaders    conf.Opt[bool]
	// AllowConnect: a location tunnels CONNECT requests.
	AllowConnect        bool
	ClientBodyEarlyRead conf.Opt[Predicates]

	// Name is the first server_name, for $server_name and redirects.
	Name string
	// Names are all of them.
	Names     []ServerName
	locations locationSet
	// named are the scopes of its named locations.
	named map[string]*conf.Scope

	listens []*Listen
	scope   *conf.Scope
	file    string
	line    int
}

// Scope returns the server's configuration.
func (s *ServerConf) Scope() *conf.Scope { return s.scope }

// Values of the enumerated directives.
const (
	SatisfyAll = iota
	SatisfyAny
)

const (
	IMSOff = iota
	IMSExact
	IMSBefore
)

const (
	LingeringOff = iota
	LingeringOn
	LingeringAlways
)

const (
	ServerTokensOff = iota
	ServerTokensOn
	ServerTokensBuild
)

const (
	KeepaliveDisableNone   = 1 << 0
	KeepaliveDisableMSIE6  = 1 << 1
	KeepaliveDisableSafari = 1 << 2
)

const (
	BodyFileOff = iota
	BodyFileOn
	BodyFileClean
)

const (
	AIOOff = iota
	AIOOn
	AIOThreads
)

// LocConf is what a location decides, with inheritance from server and http.
type LocConf struct {
	// Name is the location's own: a prefix, a regex, "@name" or "" for a
	// server's, "if" or limit_except block's unnamed location.
	Name string
	// Kind of match.
	Exact, NoRegex, Named, NoName, AutoRedirect bool
	// UpstreamTLS: requests may be passed to servers that speak TLS.
	UpstreamTLS bool
	Regex       *Regex

	// Root is the document root, or the alias path when Alias is not zero.
	// RootSet: given in this block; the default is "html".
	RootSet bool
	Root    *Complex
	// Alias is the length of the part of the URI that Root replaces;
	// AliasRegex means all of it.
	Alias int

	// Handler answers for the location, if a directive such as proxy_pass
	// decided so. It is not inherited.
	Handler Handler
	// LimitExcept is the mask of methods that the limit_except block is for,
	// and its configuration.
	LimitExcept      Method
	LimitExceptScope *conf.Scope

	Internal conf.Opt[bool]

	Types       *Types
	DefaultType conf.Opt[string]

	ClientMaxBodySize        conf.Opt[int64]
	ClientBodyBufferSize     conf.Opt[int64]
	ClientBodyTimeout        conf.Opt[time.Duration]
	ClientBodyInFileOnly     conf.Opt[int]
	ClientBodyInSingleBuffer conf.Opt[bool]
	ClientBodyTempPath       conf.Opt[*TempPath]

	Sendfile         conf.Opt[bool]
	SendfileMaxChunk conf.Opt[int64]
	SubrequestBuffer conf.Opt[int64]
	AIO              conf.Opt[int]
	AIOWrite         conf.Opt[bool]
	ReadAhead        conf.Opt[int64]
	// DirectIO is the size from which files are read directly; -1 is off.
	DirectIO          conf.Opt[int64]
	DirectIOAlignment conf.Opt[int64]
	OutputBuffers     conf.Opt[conf.Bufs]
	TCPNopush         conf.Opt[bool]
	TCPNodelay        conf.Opt[bool]
	SendTimeout       conf.Opt[time.Duration]
	SendLowat         conf.Opt[int64]
	PostponeOutput    conf.Opt[int64]
	LimitRate         conf.Opt[*Complex]
	LimitRateAfter    conf.Opt[*Complex]

	KeepaliveTime     conf.Opt[time.Duration]
	Keepalive         conf.Opt[KeepaliveTimes]
	KeepaliveMin      conf.Opt[time.Duration]
	KeepaliveRequests conf.Opt[int64]
	KeepaliveDisable  conf.Opt[int]

	Satisfy                 conf.Opt[int]
	AuthDelay               conf.Opt[time.Duration]
	LingeringClose          conf.Opt[int]
	LingeringTime           conf.Opt[time.Duration]
	LingeringTimeout        conf.Opt[time.Duration]
	ResetTimedout           conf.Opt[bool]
	AbsoluteRedirect        conf.Opt[bool]
	ServerNameInRedirect    conf.Opt[bool]
	PortInRedirect          conf.Opt[bool]
	MSIEPadding             conf.Opt[bool]
	MSIERefresh             conf.Opt[bool]
	LogNotFound             conf.Opt[bool]
	LogSubrequest           conf.Opt[bool]
	RecursiveErrorPages     conf.Opt[bool]
	ServerTokens            conf.Opt[int]
	IfModifiedSince         conf.Opt[int]
	MaxRanges               conf.Opt[int64]
	ChunkedTransferEncoding conf.Opt[bool]
	ETag                    conf.Opt[bool]
	ErrorPages              []ErrorPage // empty and not nil: "no_error_pages"
	PostAction              conf.Opt[string]

	OpenFileCache        conf.Opt[*OpenFileCache]
	OpenFileCacheValid   conf.Opt[time.Duration]
	OpenFileCacheMinUses conf.Opt[int64]
	OpenFileCacheErrors  conf.Opt[bool]
	OpenFileCacheEvents  conf.Opt[bool]
	DisableSymlinks      conf.Opt[SymlinkRule]
	GzipVary             conf.Opt[bool]
	GzipHTTPVersion      conf.Opt[int]
	GzipProxied          conf.Opt[int]
	GzipDisable          gzipDisable
	TypesHashMaxSize     conf.Opt[int64]
	TypesHashBucketSize  conf.Opt[int64]
	Resolver             conf.Opt[*ResolverConf]
	ResolverTimeout      conf.Opt[time.Duration]
	EarlyHints           conf.Opt[Predicates]
	ErrorLog             *log.Logger
	errorLogs            []*log.Output

	locations locationSet
	scope     *conf.Scope
}

// KeepaliveTimes are the arguments of keepalive_timeout: how long an idle
// connection is kept, and what the Keep-Alive response header says (0: no
// header).
type KeepaliveTimes struct{ Timeout, Header time.Duration }

// AliasRegex is the value of LocConf.Alias in a regex location.
const AliasRegex = 1 << 30

var (
	imsWords       = []conf.Word{{Name: "off", Value: IMSOff}, {Name: "exact", Value: IMSExact}, {Name: "before", Value: IMSBefore}}
	satisfyWords   = []conf.Word{{Name: "all", Value: SatisfyAll}, {Name: "any", Value: SatisfyAny}}
	lingeringWords = []conf.Word{{Name: "off", Value: LingeringOff}, {Name: "on", Value: LingeringOn}, {Name: "always", Value: LingeringAlways}}
	tokensWords    = []conf.Word{{Name: "off", Value: ServerTokensOff}, {Name: "on", Value: ServerTokensOn}, {Name: "build", Value: ServerTokensBuild}}
	bodyFileWords  = []conf.Word{{Name: "off", Value: BodyFileOff}, {Name: "on", Value: BodyFileOn}, {Name: "clean", Value: BodyFileClean}}
	keepaliveWords = []conf.Word{{Name: "none", Value: KeepaliveDisableNone}, {Name: "msie6", Value: KeepaliveDisableMSIE6}, {Name: "safari", Value: KeepaliveDisableSafari}}
)

const second = time.Second

// mainDirectives and the lists below are the rows whose values are plain; the
// rest stand beside the code that gives them their meaning.
func mainDirectives() []conf.Directive {
	s := coreMain
	return []conf.Directive{
		s.Num("variables_hash_max_size", conf.HTTPMain, func(c *MainConf) *conf.Opt[int64] { return &c.VariablesHashMaxSize }, 1024),
		s.Num("variables_hash_bucket_size", conf.HTTPMain, func(c *MainConf) *conf.Opt[int64] { return &c.VariablesHashBucketSize }, 64),
		s.Num("server_names_hash_max_size", conf.HTTPMain, func(c *MainConf) *conf.Opt[int64] { return &c.ServerNamesHashMaxSize }, 512),
		s.Num("server_names_hash_bucket_size", conf.HTTPMain, func(c *MainConf) *conf.Opt[int64] { return &c.ServerNamesHashBucketSize }, 64),
	}
}

func serverDirectives() []conf.Directive {
	const in = conf.HTTPMain | conf.HTTPServer
	s := coreSrv
	return []conf.Directive{
		s.Size("connection_pool_size", in, func(c *ServerConf) *conf.Opt[int64] { return &c.ConnectionPoolSize }, 512, CheckPoolSize),
		s.Size("request_pool_size", in, func(c *ServerConf) *conf.Opt[int64] { return &c.RequestPoolSize }, 4096, CheckPoolSize),
		s.Msec("client_header_timeout", in, func(c *ServerConf) *conf.Opt[time.Duration] { return &c.ClientHeaderTimeout }, 60*second),
		s.Size("client_header_buffer_size", in, func(c *ServerConf) *conf.Opt[int64] { return &c.ClientHeaderBufferSize }, 1024),
		s.Bufs("large_client_header_buffers", in, func(c *ServerConf) *conf.Opt[conf.Bufs] { return &c.LargeClientHeaderBuffer }, conf.Bufs{N: 4, Size: 8192}),
		s.Num("max_headers", in, func(c *ServerConf) *conf.Opt[int64] { return &c.MaxHeaders }, 1000),
		s.Flag("ignore_invalid_headers", in, func(c *ServerConf) *conf.Opt[bool] { return &c.IgnoreInvalidHeaders }, true),
		s.Flag("merge_slashes", in, func(c *ServerConf) *conf.Opt[bool] { return &c.MergeSlashes }, true),
		s.Flag("underscores_in_headers", in, func(c *ServerConf) *conf.Opt[bool] { return &c.UnderscoresInHeaders }, false),
	}
}

func locationDirectives() []conf.Directive {
	const in, inIf = conf.HTTPAny, conf.HTTPAnyIf
	s := coreLoc
	return []conf.Directive{
		s.Str("default_type", in, func(c *LocConf) *conf.Opt[string] { return &c.DefaultType }, "text/plain"),
		s.Num("types_hash_max_size", in, func(c *LocConf) *conf.Opt[int64] { return &c.TypesHashMaxSize }, 1024),
		s.Num("types_hash_bucket_size", in, func(c *LocConf) *conf.Opt[int64] { return &c.TypesHashBucketSize }, 64),
		s.Offset("client_max_body_size", in, func(c *LocConf) *conf.Opt[int64] { return &c.ClientMaxBodySize }, 1<<20),
		s.Size("client_body_buffer_size", in, func(c *LocConf) *conf.Opt[int64] { return &c.ClientBodyBufferSize }, 2*int64(os.Getpagesize())),
		s.Msec("client_body_timeout", in, func(c *LocConf) *conf.Opt[time.Duration] { return &c.ClientBodyTimeout }, 60*second),
		s.Enum("client_body_in_file_only", in, func(c *LocConf) *conf.Opt[int] { return &c.ClientBodyInFileOnly }, BodyFileOff, bodyFileWords),
		s.Flag("client_body_in_single_buffer", in, func(c *LocConf) *conf.Opt[bool] { return &c.ClientBodyInSingleBuffer }, false),
		s.Flag("sendfile", inIf, func(c *LocConf) *conf.Opt[bool] { return &c.Sendfile }, false),
		s.Size("sendfile_max_chunk", in, func(c *LocConf) *conf.Opt[int64] { return &c.SendfileMaxChunk }, 2<<20),
		s.Size("subrequest_output_buffer_size", in, func(c *LocConf) *conf.Opt[int64] { return &c.SubrequestBuffer }, 4096),
		s.Flag("aio_write", in, func(c *LocConf) *conf.Opt[bool] { return &c.AIOWrite }, false),
		s.Size("read_ahead", in, func(c *LocConf) *conf.Opt[int64] { return &c.ReadAhead }, 0),
		s.Offset("directio_alignment", in, func(c *LocConf) *conf.Opt[int64] { return &c.DirectIOAlignment }, 512),
		s.Bufs("output_buffers", in, func(c *LocConf) *conf.Opt[conf.Bufs] { return &c.OutputBuffers }, conf.Bufs{N: 2, Size: 32768}),
		s.Flag("tcp_nopush", in, func(c *LocConf) *conf.Opt[bool] { return &c.TCPNopush }, false),
		s.Flag("tcp_nodelay", in, func(c *LocConf) *conf.Opt[bool] { return &c.TCPNodelay }, true),
		s.Msec("send_timeout", in, func(c *LocConf) *conf.Opt[time.Duration] { return &c.SendTimeout }, 60*second),
		s.Size("send_lowat", in, func(c *LocConf) *conf.Opt[int64] { return &c.SendLowat }, 0, noLowat),
		s.Size("postpone_output", in, func(c *LocConf) *conf.Opt[int64] { return &c.PostponeOutput }, 1460),
		conf.Value(s, "limit_rate", inIf, conf.Take1, func(c *LocConf) *conf.Opt[*Complex] { return &c.LimitRate }, nil, ParseSizeValue),
		conf.Value(s, "limit_rate_after", inIf, conf.Take1, func(c *LocConf) *conf.Opt[*Complex] { return &c.LimitRateAfter }, nil, ParseSizeValue),
		s.Msec("keepalive_time", in, func(c *LocConf) *conf.Opt[time.Duration] { return &c.KeepaliveTime }, 3600*second),
		conf.Value(s, "keepalive_timeout", in, conf.Take12, func(c *LocConf) *conf.Opt[KeepaliveTimes] { return &c.Keepalive },
			KeepaliveTimes{Timeout: 75 * second}, parseKeepalive),
		s.Msec("keepalive_min_timeout", in, func(c *LocConf) *conf.Opt[time.Duration] { return &c.KeepaliveMin }, 0),
		s.Num("keepalive_requests", in, func(c *LocConf) *conf.Opt[int64] { return &c.KeepaliveRequests }, 1000),
		s.Bitmask("keepalive_disable", in, func(c *LocConf) *conf.Opt[int] { return &c.KeepaliveDisable }, KeepaliveDisableMSIE6, keepaliveWords).Taking(conf.Take12),
		s.Enum("satisfy", in, func(c *LocConf) *conf.Opt[int] { return &c.Satisfy }, SatisfyAll, satisfyWords),
		s.Msec("auth_delay", in, func(c *LocConf) *conf.Opt[time.Duration] { return &c.AuthDelay }, 0),
		s.Enum("lingering_close", in, func(c *LocConf) *conf.Opt[int] { return &c.LingeringClose }, LingeringOn, lingeringWords),
		s.Msec("lingering_time", in, func(c *LocConf) *conf.Opt[time.Duration] { return &c.LingeringTime }, 30*second),
		s.Msec("lingering_timeout", in, func(c *LocConf) *conf.Opt[time.Duration] { return &c.LingeringTimeout }, 5*second),
		s.Flag("reset_timedout_connection", in, func(c *LocConf) *conf.Opt[bool] { return &c.ResetTimedout }, false),
		s.Flag("absolute_redirect", in, func(c *LocConf) *conf.Opt[bool] { return &c.AbsoluteRedirect }, true),
		s.Flag("server_name_in_redirect", in, func(c *LocConf) *conf.Opt[bool] { return &c.ServerNameInRedirect }, false),
		s.Flag("port_in_redirect", in, func(c *LocConf) *conf.Opt[bool] { return &c.PortInRedirect }, true),
		s.Flag("msie_padding", in, func(c *LocConf) *conf.Opt[bool] { return &c.MSIEPadding }, true),
		s.Flag("msie_refresh", in, func(c *LocConf) *conf.Opt[bool] { return &c.MSIERefresh }, false),
		s.Flag("log_not_found", in, func(c *LocConf) *conf.Opt[bool] { return &c.LogNotFound }, true),
		s.Flag("log_subrequest", in, func(c *LocConf) *conf.Opt[bool] { return &c.LogSubrequest }, false),
		s.Flag("recursive_error_pages", in, func(c *LocConf) *conf.Opt[bool] { return &c.RecursiveErrorPages }, false),
		s.Enum("server_tokens", in, func(c *LocConf) *conf.Opt[int] { return &c.ServerTokens }, ServerTokensOn, tokensWords),
		s.Enum("if_modified_since", in, func(c *LocConf) *conf.Opt[int] { return &c.IfModifiedSince }, IMSExact, imsWords),
		s.Num("max_ranges", in, func(c *LocConf) *conf.Opt[int64] { return &c.MaxRanges }, 1<<62),
		s.Flag("chunked_transfer_encoding", in, func(c *LocConf) *conf.Opt[bool] { return &c.ChunkedTransferEncoding }, true),
		s.Flag("etag", in, func(c *LocConf) *conf.Opt[bool] { return &c.ETag }, true),
		s.Str("post_action", inIf, func(c *LocConf) *conf.Opt[string] { return &c.PostAction }, ""),
		s.Sec("open_file_cache_valid", in, func(c *LocConf) *conf.Opt[time.Duration] { return &c.OpenFileCacheValid }, 60*second),
		s.Num("open_file_cache_min_uses", in, func(c *LocConf) *conf.Opt[int64] { return &c.OpenFileCacheMinUses }, 1),
		s.Flag("open_file_cache_errors", in, func(c *LocConf) *conf.Opt[bool] { return &c.OpenFileCacheErrors }, false),
		s.Flag("open_file_cache_events", in, func(c *LocConf) *conf.Opt[bool] { return &c.OpenFileCacheEvents }, false),
		s.Msec("resolver_timeout", in, func(c *LocConf) *conf.Opt[time.Duration] { return &c.ResolverTimeout }, 30*second),
	}
}

// noLowat repeats nginx's words on systems without SO_SNDLOWAT, Linux among
// them.
func noLowat(cf *conf.Conf, v *int64) error {
	cf.Warnf(`"send_lowat" is not supported, ignored`)
	*v = 0
	return nil
}

// CheckPoolSize examines the size of one of nginx's memory pools, which nothing
// here depends on: at least the smallest pool, in units of its alignment.
func CheckPoolSize(cf *conf.Conf, v *int64) error {
	const smallest, alignment = 112, 16
	switch {
	case *v < smallest:
		return cf.Errorf("the pool size must be no less than %d", smallest)
	case *v%alignment != 0:
		return cf.Errorf("the pool size must be a multiple of %d", alignment)
	}
	return nil
}

// ParseSizeValue reads the argument of a directive that is a size and may
// contain variables.
func ParseSizeValue(cf *conf.Conf) (*Complex, error) {
	c, err := CompileArg(cf, cf.Args[0])
	if err != nil || !c.Static() {
		return c, err
	}
	if _, ok := conf.ParseSize(cf.Args[0]); !ok {
		return nil, errInvalid
	}
	return c, nil
}

// parseKeepalive reads keepalive_timeout.
func parseKeepalive(cf *conf.Conf) (k KeepaliveTimes, err error) {
	var ok bool
	if k.Timeout, ok = conf.ParseMsec(cf.Args[0]); !ok {
		return k, errInvalid
	}
	if len(cf.Args) == 2 {
		if k.Header, ok = conf.ParseSec(cf.Args[1]); !ok {
			return k, errInvalid
		}
	}
	return k, nil
}
