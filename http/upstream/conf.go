package upstream

import (
	"time"

	"moongate/conf"
	"moongate/http"
)

// Conf is what a location decides about its exchanges, whatever the protocol:
// nginx's ngx_http_upstream_conf_t.
type Conf struct {
	// Upstream are the peers, nil where the address has variables.
	Upstream *Upstream
	pass     pass

	ConnectTimeout, SendTimeout, ReadTimeout conf.Opt[time.Duration]

	NextUpstream conf.Opt[int]
	NextTries    conf.Opt[int64]
	NextTimeout  conf.Opt[time.Duration]

	BufferSize    conf.Opt[int64]
	Buffers       conf.Opt[conf.Bufs]
	BusySize      conf.Opt[int64]
	MaxTempSize   conf.Opt[int64]
	TempWriteSize conf.Opt[int64]
	TempPath      conf.Opt[*http.TempPath]
	LimitRate     conf.Opt[*http.Complex]

	Buffering          conf.Opt[bool]
	RequestBuffering   conf.Opt[bool]
	PassRequestHeaders conf.Opt[bool]
	PassRequestBody    conf.Opt[bool]
	PassTrailers       conf.Opt[bool]
	IgnoreClientAbort  conf.Opt[bool]
	InterceptErrors    conf.Opt[bool]
	ForceRanges        conf.Opt[bool]

	Bind            conf.Opt[*Bind]
	SocketKeepalive conf.Opt[bool]
	SocketRcvbuf    conf.Opt[int64]
	SocketSndbuf    conf.Opt[int64]
	SendLowat       conf.Opt[int64]

	IgnoreHeaders conf.Opt[int]
	HideHeaders   conf.Opt[[]string]
	PassHeaders   conf.Opt[[]string]

	Store       conf.Opt[StorePath]
	StoreAccess conf.Opt[uint32]
	Cache       CacheConf

	SSL SSL

	kept kept
	// block is where the Conf belongs to.
	block *http.LocConf
	// hide are the fields of responses that stay here.
	hide *NameSet
}

// Traits are what a module decides about all of its exchanges.
type Traits struct {
	// Module is the prefix of the directives, as in "proxy_buffers".
	Module string
	// Schema is the one of the peers' addresses, for the log, and SchemaTLS that
	// of peers that speak TLS. With both, the address in the configuration may
	// begin with either (SetPass).
	Schema, SchemaTLS string
	// HideHeaders are the fields of responses that are not passed on unless
	// PREFIX_pass_header says so.
	HideHeaders []string
	// Absent are fields that the client does not get from the server itself
	// either if they are passed on and the peer has not sent them.
	Absent []http.Header
	// TempPath is the default folder for temporary files, with subfolders of
	// the levels 1 and 2; empty for protocols without.
	TempPath string
	// ChangeBuffering: X-Accel-Buffering is obeyed.
	ChangeBuffering bool
	// LengthFirst: the protocol sends the length ahead, so that a chunked body is read whole before.
	LengthFirst bool
	// EarlyHints: 103 responses are passed on.
	EarlyHints bool
	// Intercept404: a 404 response becomes the location's own.
	Intercept404 bool
	// DefaultKey: responses have a key in the cache where PREFIX_cache_key
	// gives none (see Keyer).
	DefaultKey bool
	// PreserveOutput: the rest of the request is sent even after the response
	// has begun.
	PreserveOutput bool
	// IgnoreInput: there is no response header to wait for.
	IgnoreInput bool
}

// Reasons to ask the next peer, the values of PREFIX_next_upstream and
// PREFIX_cache_use_stale. The numbers are nginx's.
const (
	FailError         = 0x00000002
	FailTimeout       = 0x00000004
	FailInvalidHeader = 0x00000008
	Fail500           = 0x00000010
	Fail502           = 0x00000020
	Fail503           = 0x00000040
	Fail504           = 0x00000080
	Fail403           = 0x00000100
	Fail404           = 0x00000200
	Fail429           = 0x00000400
	FailUpdating      = 0x00000800
	FailNonIdempotent = 0x00004000
	FailNoLive        = 0x40000000
	FailOff           = 0x80000000
)

// HTTPWords are the words of PREFIX_next_upstream where peers speak HTTP.
var HTTPWords = []conf.Word{
	{Name: "error", Value: FailError}, {Name: "timeout", Value: FailTimeout},
	{Name: "invalid_header", Value: FailInvalidHeader}, {Name: "non_idempotent", Value: FailNonIdempotent},
	{Name: "http_500", Value: Fail500}, {Name: "http_502", Value: Fail502}, {Name: "http_503", Value: Fail503},
	{Name: "http_504", Value: Fail504}, {Name: "http_403", Value: Fail403}, {Name: "http_404", Value: Fail404},
	{Name: "http_429", Value: Fail429}, {Name: "updating", Value: FailUpdating}, {Name: "off", Value: FailOff},
}

// CGIWords are those for CGI-like peers.
var CGIWords = []conf.Word{
	{Name: "error", Value: FailError}, {Name: "timeout", Value: FailTimeout},
	{Name: "invalid_header", Value: FailInvalidHeader}, {Name: "non_idempotent", Value: FailNonIdempotent},
	{Name: "http_500", Value: Fail500}, {Name: "http_503", Value: Fail503}, {Name: "http_403", Value: Fail403},
	{Name: "http_404", Value: Fail404}, {Name: "http_429", Value: Fail429}, {Name: "updating", Value: FailUpdating},
	{Name: "off", Value: FailOff},
}

// What PREFIX_ignore_headers can name.
const (
	ignoreAccelRedirect = 1 << iota
	ignoreAccelExpires
	ignoreAccelLimitRate
	ignoreAccelBuffering
	ignoreAccelCharset
	ignoreExpires
	ignoreCacheControl
	ignoreSetCookie
	ignoreVary
)

var ignoreWords = []conf.Word{
	{Name: "X-Accel-Redirect", Value: ignoreAccelRedirect}, {Name: "X-Accel-Expires", Value: ignoreAccelExpires},
	{Name: "X-Accel-Limit-Rate", Value: ignoreAccelLimitRate}, {Name: "X-Accel-Buffering", Value: ignoreAccelBuffering},
	{Name: "X-Accel-Charset", Value: ignoreAccelCharset}, {Name: "Expires", Value: ignoreExpires},
	{Name: "Cache-Control", Value: ignoreCacheControl}, {Name: "Set-Cookie", Value: ignoreSetCookie},
	{Name: "Vary", Value: ignoreVary},
}

// second and the sizes below are nginx's defaults.
const (
	second      = time.Second
	pageSize    = 4096
	defaultBufs = 8
	defaultTemp = 1 << 30
)

// Merge completes c, whose rows have inherited, and checks what several of them
// say together.
func (c *Conf) Merge(cf *conf.Conf, outer *Conf, t *Traits) error {
	if c.NextUpstream.V&FailOff != 0 {
		c.NextUpstream.V = FailOff
	}
	c.block = http.LocOf(cf)
	c.mergeHide(outer, t)
	if err := c.mergeCache(cf, t); err != nil {
		return err
	}
	if t.TempPath == "" {
		return nil
	}
	if err := c.mergeBuffers(cf, t.Module); err != nil {
		return err
	}
	if !c.TempPath.Set {
		if outer.TempPath.V == nil {
			p, err := http.DefaultTempPath(cf, t.TempPath, 1, 2)
			if err != nil {
				return err
			}
			outer.TempPath.V = p
		}
		c.TempPath.V = outer.TempPath.V
	}
	return nil
}

// mergeBuffers checks the sizes of the buffers against each other.
func (c *Conf) mergeBuffers(cf *conf.Conf, module string) error {
	if c.Buffers.V.N < 2 {
		return cf.Errorf(`there must be at least 2 "%s_buffers"`, module)
	}
	size := max(c.BufferSize.V, c.Buffers.V.Size)
	if !c.BusySize.Set {
		c.BusySize.V = 2 * size
	}
	if !c.TempWriteSize.Set {
		c.TempWriteSize.V = 2 * size
	}
	if !c.MaxTempSize.Set {
		c.MaxTempSize.V = defaultTemp
	}
	switch {
	case c.BusySize.V < size:
		return cf.Errorf(`"%s_busy_buffers_size" must be equal to or greater than the maximum of the value of `+
			`"%[1]s_buffer_size" and one of the "%[1]s_buffers"`, module)
	case c.BusySize.V > int64(c.Buffers.V.N-1)*c.Buffers.V.Size:
		return cf.Errorf(`"%s_busy_buffers_size" must be less than the size of all "%[1]s_buffers" minus one buffer`, module)
	case c.TempWriteSize.V < size:
		return cf.Errorf(`"%s_temp_file_write_size" must be equal to or greater than the maximum of the value of `+
			`"%[1]s_buffer_size" and one of the "%[1]s_buffers"`, module)
	case c.MaxTempSize.V != 0 && c.MaxTempSize.V < size:
		return cf.Errorf(`"%s_max_temp_file_size" must be equal to zero to disable temporary files usage or must be `+
			`equal to or greater than the maximum of the value of "%[1]s_buffer_size" and one of the "%[1]s_buffers"`, module)
	}
	return nil
}

// mergeHide makes the set of fields that are not passed on: the module's own
// and the hidden ones, without those that are passed. A block without a
// directive of the kind shares its parent's.
func (c *Conf) mergeHide(outer *Conf, t *Traits) {
	if !c.HideHeaders.Set && !c.PassHeaders.Set && outer.hide != nil {
		c.hide = outer.hide
		return
	}
	hide := NewNameSet(t.HideHeaders...)
	hide.Add(c.HideHeaders.V...)
	hide.Remove(c.PassHeaders.V...)
	c.hide = hide
}
