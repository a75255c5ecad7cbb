package phase

import (
	"errors"

	"moongate/conf"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/http"
	"moongate/lua/api"
)

// initDirectives are those of code that runs without a request.
func initDirectives() []conf.Directive {
	row := func(name string, kinds []form, field func(*mainConf) **Code) []conf.Directive {
		f := &family[mainConf]{name: name, slot: mainSlot, in: conf.HTTPMain, forms: kinds, field: field}
		return f.rows()
	}
	rows := row("init_by_lua", allForms, func(m *mainConf) **Code { return &m.init })
	rows = append(rows, row("init_worker_by_lua", allForms, func(m *mainConf) **Code { return &m.initWorker })...)
	return append(rows, row("exit_worker_by_lua", []form{asBlock, asFile}, func(m *mainConf) **Code { return &m.exitWorker })...)
}

// Start has the engine of a process made once sockets, logs and shared memory are open: in the master, whose
// init_by_lua must succeed for the server to start, and again in every worker, as memory is not inherited. There
// init_by_lua runs a second time, while the worker still has the master's privileges.
func Start(cf *conf.Conf, main *http.MainConf) error {
	cycle := process.Of(cf.Cycle)
	m, settings := mainSlot.Of(cf.Scope), api.Main.Of(cf.Scope)
	cycle.OnQuit(func(*process.Worker) {
		if settings.Engine != nil {
			settings.Engine.Quit()
		}
	})
	cycle.OnChild(func(*process.Worker) {
		if settings.Engine != nil {
			settings.Engine.ChildEnded()
		}
	})
	if cf.Cycle.Test {
		return nil
	}
	if err := settings.ReadEnvironment(cycle); err != nil {
		return err
	}
	var err error
	if settings.Bare, err = main.Inherited(cf); err != nil {
		return err
	}
	cycle.OnInit(func() error {
		e := api.NewEngine(cycle, settings, main)
		settings.Engine = e
		e.CaptureLog(true)
		defer e.CaptureLog(false) // what follows is about the start of the server
		if m.init == nil {
			return nil
		}
		e.Init = func(c *api.Ctx) error { return runInit(c, m.init) }
		return e.Init(e.Base(api.Init))
	})
	return nil
}

// errInit says that init_by_lua failed; why has been logged.
var errInit = errors.New("init_by_lua failed")

// runInit runs init_by_lua in a VM, with the globals of all requests.
func runInit(c *api.Ctx, code *Code) error {
	if runMain(c, code, api.Init, "init_by_lua") {
		return nil
	}
	return errInit
}

// StartWorker runs init_worker_by_lua as the first thing on the loop of a worker.
func StartWorker(w *http.Worker, settings *api.MainConf, m *mainConf) {
	e := settings.Engine
	e.Start(w)
	if m.initWorker == nil {
		return
	}
	runMain(e.Base(api.InitWorker), m.initWorker, api.InitWorker, "init_worker_by_lua")
}

// ExitWorker runs exit_worker_by_lua.
func ExitWorker(e *api.Engine, m *mainConf) {
	if m.exitWorker != nil {
		runMain(e.Base(api.ExitWorker), m.exitWorker, api.ExitWorker, "exit_worker_by_lua")
	}
}

// runMain runs code for the process itself and logs its error.
func runMain(c *api.Ctx, code *Code, p api.Phase, directive string) bool {
	if code.file != nil {
		directive += "_file"
	}
	proto, err := code.compile(c)
	if err == nil {
		err = c.RunMain(p, proto)
	}
	if err != nil {
		c.Logf(log.Error, "%s error: %s", directive, err)
	}
	return err == nil
}
