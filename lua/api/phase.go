// Package api is the ngx table that Lua code sees: one file per family of functions, each function one row with the
// phases it may be called in. It also has what all phases share: the context of a request (Ctx), the Lua side of a
// worker (Engine) and the settings of the lua_* directives.
package api

// Phase is the context that Lua code runs in, one bit each (NGX_HTTP_LUA_CONTEXT_*).
type Phase uint32

// The phases.
const (
	Set Phase = 1 << iota
	Rewrite
	ServerRewrite
	Access
	Precontent
	Content
	HeaderFilter
	BodyFilter
	Log
	Timer
	Init
	InitWorker
	ExitWorker
	Balancer
	SSLClientHello
	SSLCert
	SSLSessionFetch
	SSLSessionStore
	ProxySSLCert
	ProxySSLVerify
)

// Sets of phases that rows name.
const (
	// handlers may answer, wait and redirect.
	handlers = Rewrite | ServerRewrite | Access | Precontent | Content
	// capturing phases may make subrequests.
	capturing = Rewrite | Access | Content
	// handshakes are the phases of a TLS handshake with a client, in which there is no request yet.
	handshakes = SSLClientHello | SSLCert | SSLSessionFetch | SSLSessionStore
	// proxyHandshakes are those of one with an upstream server.
	proxyHandshakes = ProxySSLCert | ProxySSLVerify
	// yieldable phases may wait.
	yieldable = handlers | Timer | handshakes&^SSLSessionStore | proxyHandshakes
	// requests are all phases with a request.
	requests = handlers | Set | HeaderFilter | BodyFilter | Log | Balancer | proxyHandshakes
	// anywhere is every phase.
	anywhere = ^Phase(0)
)

var phaseNames = []struct {
	phase Phase
	// name is what ngx.get_phase returns, context what error messages say.
	name, context string
}{
	{Content, "content", "content_by_lua*"},
	{Set, "set", "set_by_lua*"},
	{Rewrite, "rewrite", "rewrite_by_lua*"},
	{ServerRewrite, "server_rewrite", "server_rewrite_by_lua*"},
	{Access, "access", "access_by_lua*"},
	{Precontent, "precontent", "precontent_by_lua*"},
	{HeaderFilter, "header_filter", "header_filter_by_lua*"},
	{BodyFilter, "body_filter", "body_filter_by_lua*"},
	{Log, "log", "log_by_lua*"},
	{Timer, "timer", "ngx.timer"},
	{Init, "init", "init_by_lua*"},
	{InitWorker, "init_worker", "init_worker_by_lua*"},
	{ExitWorker, "exit_worker", "exit_worker_by_lua*"},
	{Balancer, "balancer", "balancer_by_lua*"},
	{SSLClientHello, "ssl_client_hello", "ssl_client_hello_by_lua*"},
	{SSLCert, "ssl_cert", "ssl_certificate_by_lua*"},
	{SSLSessionFetch, "ssl_session_fetch", "ssl_session_fetch_by_lua*"},
	{SSLSessionStore, "ssl_session_store", "ssl_session_store_by_lua*"},
	{ProxySSLCert, "proxy_ssl_cert", "proxy_ssl_certificate_by_lua*"},
	{ProxySSLVerify, "proxy_ssl_verify", "proxy_ssl_verify_by_lua*"},
}

// Name is the phase as ngx.get_phase has it.
func (p Phase) Name() string {
	for i := range phaseNames {
		if phaseNames[i].phase == p {
			return phaseNames[i].name
		}
	}
	return "unknown"
}

// Context is the phase as error messages have it.
func (p Phase) Context() string {
	for i := range phaseNames {
		if phaseNames[i].phase == p {
			return phaseNames[i].context
		}
	}
	return "(unknown)"
}
