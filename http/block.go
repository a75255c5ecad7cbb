package http

import (
	"moongate/conf"
)

// block is what the http family leaves in the Core family's scope.
type block struct {
	options *Options
	main    *MainConf
}

// blockSlot keeps the http block of a cycle.
var blockSlot = &conf.Slot[block]{Level: conf.LevelMain}

// Of returns the http block of a cycle, nil when there is none.
func Of(c *conf.Cycle) *MainConf { return blockSlot.Of(c.Scope).main }

// New returns the configuration modules of the http family: the block itself,
// the core module and those of opts.
func New(opts *Options) []*conf.Module {
	opts.bind()
	opener := &conf.Module{
		Name: "http", Family: conf.Core, Slots: []conf.AnySlot{blockSlot},
		Arguments: []string{"--with-debug"},
		Directives: []conf.Directive{
			conf.Command("http", conf.Main, conf.Braces|conf.NoArgs, func(cf *conf.Conf) error { return opts.block(cf) }),
		},
	}
	core := &conf.Module{
		Name: "http_core", Family: conf.HTTP, Slots: []conf.AnySlot{coreMain, coreSrv, coreLoc},
		Directives: append(append(append(append(mainDirectives(), serverDirectives()...), locationDirectives()...),
			locationCustomDirectives()...), conf.Command("server", conf.HTTPMain, conf.Braces|conf.NoArgs, serverBlock)),
	}
	list := []*conf.Module{opener, core}
	for _, m := range opts.Modules {
		m.Family = conf.HTTP
		list = append(list, &m.Module)
	}
	return list
}

// bind numbers contexts and filters.
func (o *Options) bind() {
	o.lasting = 0
	var passing []AnyCtx
	for _, m := range o.Modules {
		for _, c := range m.Ctx {
			if !c.lasts() {
				passing = append(passing, c)
				continue
			}
			c.bind(o.lasting)
			o.lasting++
		}
	}
	for i, c := range passing {
		c.bind(o.lasting + i)
	}
	o.ctxCount = o.lasting + len(passing)
	for i, m := range o.BodyFilters {
		m.bodyIndex = i
		if m == Postpone {
			o.postpone = i
		}
	}
}

// block reads http { }: nginx's ngx_http_block.
func (o *Options) block(cf *conf.Conf) error {
	b := blockSlot.Of(cf.Scope)
	if b.main != nil {
		return conf.ErrDuplicate
	}
	reg := cf.Cycle.Registry
	sc := reg.NewScope(conf.HTTP, nil, conf.LevelMain, conf.LevelServer, conf.LevelLocation)
	m := coreMain.Of(sc)
	m.Options, m.scope = o, sc
	coreSrv.Of(sc).scope, coreLoc.Of(sc).scope = sc, sc
	b.options, b.main = o, m

	outer := cf.Scope
	cf.Scope = sc
	defer func() { cf.Scope = outer }()
	if err := m.preconfigure(cf); err != nil {
		return err
	}
	if err := cf.Block(conf.HTTPMain, sc); err != nil {
		return err
	}
	return m.complete(cf)
}

// preconfigure defines the variables and lets the modules prepare.
func (m *MainConf) preconfigure(cf *conf.Conf) error {
	for _, v := range coreVariables {
		if _, err := m.AddVariable(cf, v); err != nil {
			return err
		}
	}
	for _, mod := range m.Options.Modules {
		for _, v := range mod.Variables {
			if _, err := m.AddVariable(cf, v); err != nil {
				return err
			}
		}
		if mod.Preconfiguration != nil {
			if err := mod.Preconfiguration(cf, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// complete merges the blocks and lets the modules take their places.
func (m *MainConf) complete(cf *conf.Conf) error {
	reg := cf.Cycle.Registry
	for _, mod := range m.Options.Modules {
		if mod.InitMain != nil {
			if err := mod.InitMain(cf, m); err != nil {
				return err
			}
		}
	}
	// Rows at main level have no parent: an empty scope stands in for it.
	empty := reg.NewScope(conf.HTTP, nil, conf.LevelMain)
	if err := reg.Merge(cf, conf.LevelMain, empty, m.scope); err != nil {
		return err
	}
	for _, s := range m.Servers {
		if err := m.mergeServer(cf, s); err != nil {
			return err
		}
	}
	for _, mod := range m.Options.Modules {
		if mod.Init != nil {
			if err := mod.Init(cf, m); err != nil {
				return err
			}
		}
	}
	if err := m.vars.finish(cf); err != nil {
		return err
	}
	m.engine.build(&m.handlers)
	if err := m.buildPorts(cf); err != nil {
		return err
	}
	m.install(cf)
	return nil
}

// mergeServer lets a server and its locations inherit. Meanwhile the server's
// scope is that of cf, where ServerOf looks.
func (m *MainConf) mergeServer(cf *conf.Conf, s *ServerConf) error {
	cf.Scope = s.scope
	defer func() { cf.Scope = m.scope }()
	reg := cf.Cycle.Registry
	if err := reg.Merge(cf, conf.LevelServer, m.scope, s.scope); err != nil {
		return err
	}
	if err := reg.Merge(cf, conf.LevelLocation, m.scope, s.scope); err != nil {
		return err
	}
	if err := mergeLocations(cf, reg, s.scope, &s.locations); err != nil {
		return err
	}
	return s.locations.build(cf, s)
}

// Inherited makes the configuration of a location that says nothing itself: for
// code that runs without a request. The http block must have been read. What
// belongs to servers is the block's own: merging it would make one more server
// of it, with certificates to load, which nobody asked for.
func (m *MainConf) Inherited(cf *conf.Conf) (*conf.Scope, error) {
	reg := cf.Cycle.Registry
	sc := reg.NewLazyScope(conf.HTTP, m.scope, conf.LevelLocation)
	return sc, reg.Merge(cf, conf.LevelLocation, m.scope, sc)
}

// mergeLocations lets the locations of one block inherit from it, outer ones
// first.
func mergeLocations(cf *conf.Conf, reg *conf.Registry, outer *conf.Scope, set *locationSet) error {
	return set.each(func(sc *conf.Scope) error {
		if err := reg.Merge(cf, conf.LevelLocation, outer, sc); err != nil {
			return err
		}
		return mergeLocations(cf, reg, sc, &coreLoc.Of(sc).locations)
	})
}

// serverBlock reads server { }: nginx's ngx_http_core_server.
func serverBlock(cf *conf.Conf) error {
	reg := cf.Cycle.Registry
	sc := reg.NewLazyScope(conf.HTTP, reg.NewScope(conf.HTTP, cf.Scope, conf.LevelServer), conf.LevelLocation)
	s := coreSrv.Of(sc)
	s.scope = sc
	s.file, s.line = cf.Place()
	coreLoc.Of(sc).scope = sc
	m := MainOf(cf)
	m.Servers = append(m.Servers, s)
	if err := cf.Block(conf.HTTPServer, sc); err != nil {
		return err
	}
	return s.defaultListen(cf)
}
