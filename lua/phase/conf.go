package phase

import (
	"moongate/conf"
	"moongate/http"
	"moongate/lua/api"
)

// mainConf is the code of the http block.
type mainConf struct {
	init, initWorker, exitWorker *Code
	// usesSSL and usesProxySSL tell that the phases of handshakes, with clients and with upstreams, have code.
	usesSSL, usesProxySSL bool
	// mayCapture tells that there is code that could call ngx.location.capture.
	mayCapture bool
}

// srvConf is the code of a server.
type srvConf struct {
	serverRewrite, clientHello, certificate, sessionFetch, sessionStore *Code
	balancer                                                            balancerConf // of an upstream block
}

// locConf is the code of a location.
type locConf struct {
	rewrite, access, precontent, content, header, body, log, proxyCert, proxyVerify *Code
	skipVerify                                                                      conf.Opt[bool]
}

var (
	mainSlot = &conf.Slot[mainConf]{Level: conf.LevelMain}
	srvSlot  = &conf.Slot[srvConf]{Level: conf.LevelServer, Merge: func(_ *conf.Conf, outer, s *srvConf) error {
		inherit(&s.serverRewrite, outer.serverRewrite)
		inherit(&s.clientHello, outer.clientHello)
		inherit(&s.certificate, outer.certificate)
		inherit(&s.sessionFetch, outer.sessionFetch)
		inherit(&s.sessionStore, outer.sessionStore)
		return nil
	}}
	locSlot = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: mergeLocation}
)

// Slots are where the code of the directives is kept.
func Slots() []conf.AnySlot { return []conf.AnySlot{mainSlot, srvSlot, locSlot} }

func inherit(code **Code, outer *Code) {
	if *code == nil {
		*code = outer
	}
}

func mergeLocation(cf *conf.Conf, outer, l *locConf) error {
	inherit(&l.rewrite, outer.rewrite)
	inherit(&l.access, outer.access)
	inherit(&l.precontent, outer.precontent)
	inherit(&l.content, outer.content) // for "if" blocks, whose handler is that of the location
	inherit(&l.header, outer.header)
	inherit(&l.body, outer.body)
	inherit(&l.log, outer.log)
	inherit(&l.proxyCert, outer.proxyCert)
	inherit(&l.proxyVerify, outer.proxyVerify)
	return checkProxySSL(cf, l)
}

// form is how a directive has its code.
type form int

const (
	asString form = iota // content_by_lua 'code';
	asBlock              // content_by_lua_block { code }
	asFile               // content_by_lua_file name;
)

var forms = []struct {
	suffix string
	args   conf.Arity
}{
	asString: {"", conf.Take1},
	asBlock:  {"_block", conf.LuaBraces | conf.Take1},
	asFile:   {"_file", conf.Take1},
}

// family is the directives of one phase.
type family[C any] struct {
	name  string
	slot  *conf.Slot[C]
	in    conf.Context
	forms []form
	// field is where the code is kept.
	field func(*C) **Code
	// captures tells that the code may call ngx.location.capture.
	captures bool
	// used is told that the directive is there.
	used func(cf *conf.Conf)
}

// where is the scopes that have code for the phase.
func (f *family[C]) where() http.Where {
	return f.slot.Where(func(c *C) bool { return *f.field(c) != nil })
}

// rows are the directives of the family.
func (f *family[C]) rows() (rows []conf.Directive) {
	for _, kind := range f.forms {
		rows = append(rows, f.slot.Custom(f.name+forms[kind].suffix, f.in, forms[kind].args,
			func(cf *conf.Conf, c *C) error { return f.set(cf, c, kind) }))
	}
	return rows
}

func (f *family[C]) set(cf *conf.Conf, c *C, kind form) (err error) {
	field := f.field(c)
	if *field != nil {
		return conf.ErrDuplicate
	}
	if cf.Args[0] == "" && kind != asBlock {
		return cf.Errorf(`invalid location config: no runnable Lua code`)
	}
	if *field, err = readCode(cf, f.name, kind, 0); err != nil {
		return err
	}
	if f.captures {
		mainSlot.Of(cf.Scope).mayCapture = true
	}
	if f.used != nil {
		f.used(cf)
	}
	return nil
}

// readCode makes the code that argument n of a directive is or names.
func readCode(cf *conf.Conf, tag string, kind form, n int) (*Code, error) {
	if kind == asFile {
		return external(cf, cf.Args[n])
	}
	code := inline(cf, tag, cf.Args[n])
	if kind == asBlock {
		// A block that did not end is complained about where it would.
		return code, cf.Block(cf.In, cf.Scope)
	}
	return code, nil
}

// Directives are the *_by_lua directives of all phases.
func Directives() (rows []conf.Directive) {
	for _, f := range [][]conf.Directive{
		initDirectives(), setDirectives(), serverRewriteFamily.rows(), rewriteFamily.rows(), accessFamily.rows(),
		precontentFamily.rows(), contentFamily.rows(), headerFamily.rows(), bodyFamily.rows(), logFamily.rows(),
		balancerDirectives(),
		sslDirectives(), proxyCertFamily.rows(), proxyVerifyFamily.rows(), {skipVerify()},
	} {
		rows = append(rows, f...)
	}
	return rows
}

// Install puts the handlers of the phases into their places.
func Install(cf *conf.Conf, m *http.MainConf) error {
	main, settings := mainSlot.Of(cf.Scope), api.Main.Of(cf.Scope)
	for _, p := range []struct {
		phase   http.Phase
		where   http.Where
		handler http.Handler
		first   bool
	}{
		{http.PhaseServerRewrite, serverRewriteFamily.where(), serverRewriteHandler, true},
		{http.PhaseRewrite, rewriteFamily.where(), rewriteHandler, settings.RewriteNoPostpone.V},
		{http.PhaseAccess, accessFamily.where(), accessHandler, settings.AccessNoPostpone.V},
		{http.PhasePreContent, precontentFamily.where(), precontentHandler, settings.PreNoPostpone.V},
		{http.PhaseLog, logFamily.where(), logHandler, true},
	} {
		if p.first {
			m.HandleFirst(p.phase, p.where, p.handler)
		} else {
			m.Handle(p.phase, p.where, p.handler)
		}
	}
	if main.usesProxySSL {
		m.UpstreamHandshake = upstreamHandshake
	}
	if main.usesSSL {
		return installSSL(m)
	}
	return nil
}

var allForms = []form{asString, asBlock, asFile}

const inHTTP = conf.HTTPAnyIf
