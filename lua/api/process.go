package api

import (
	"os"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/log"
	"moongate/core/process"
	"moongate/lua/vm"
)

// workerFuncs tell about the processes of the server (resty.core.worker).
var workerFuncs = []Func{
	{"worker.id", anywhere, workerID},
	{"worker.pid", anywhere, func(_ *Ctx, l *lua.LState) int { return ret(l, vm.Number(os.Getpid())) }},
	{"worker.pids", anywhere, workerPIDs},
	{"worker.count", anywhere, func(c *Ctx, l *lua.LState) int { return ret(l, vm.Number(c.Cycle.Core.Workers.V)) }},
	{"worker.exiting", anywhere, func(c *Ctx, l *lua.LState) int {
		return ret(l, lua.LBool(c.Worker != nil && c.Worker.Exiting()))
	}},
}

// workerID is ngx.worker.id(): nil in the master and in the privileged agent, but 0 when init_by_lua runs for the first
// time: nginx becomes a master after that.
func workerID(c *Ctx, l *lua.LState) int {
	if c.Phase == Init && c.Worker == nil && !c.Cycle.Replaces() {
		return ret(l, zero)
	}
	if c.Worker == nil || c.Worker.ID < 0 {
		return ret(l, lua.LNil)
	}
	return ret(l, vm.Number(c.Worker.ID))
}

// pidsPerWorker bounds what ngx.worker.pids lists: old and new workers live side by side for a while.
const pidsPerWorker = 4

// workerPIDs is ngx.worker.pids(): the workers and helpers that run now.
func workerPIDs(c *Ctx, l *lua.LState) int {
	if c.Phase&(Init|InitWorker) != 0 {
		return fail(l, disabledHere)
	}
	pids := c.Cycle.Shared().Processes()
	if me := os.Getpid(); !slices.Contains(pids, me) {
		pids = append(pids, me)
	}
	t := vm.NewTable(len(pids), 0)
	for _, pid := range pids[:min(len(pids), pidsPerWorker*int(c.Cycle.Core.Workers.V))] {
		t.Append(lua.LNumber(pid))
	}
	return ret(l, t)
}

// moduleVersion is what the modules of lua-resty-core say of themselves.
const moduleVersion = "0.1.32"

// processFuncs are the functions of ngx.process.
var processFuncs = []Func{
	{"type", anywhere, processType},
	{"get_master_pid", anywhere, masterPID},
	{"enable_privileged_agent", Init, enableAgent},
	{"signal_graceful_exit", anywhere, func(c *Ctx, _ *lua.LState) int {
		if c.Worker != nil {
			c.Worker.Quit()
		}
		return 0
	}},
}

// processType is process.type(). init_by_lua runs again in each worker, but what it sees is the master.
func processType(c *Ctx, l *lua.LState) int {
	switch {
	case c.Worker != nil:
		return retString(l, c.Worker.Type())
	case c.Cycle.Core.Master.V:
		return retString(l, "master")
	}
	return retString(l, "single")
}

// masterPID is process.get_master_pid(): of the only process when there is no master.
func masterPID(c *Ctx, l *lua.LState) int {
	if c.Cycle.Conf.Worker {
		return ret(l, vm.Number(c.masterPID))
	}
	return ret(l, vm.Number(os.Getpid()))
}

// agentConnections is worker_connections in a privileged agent that does not say.
const agentConnections = 512

// enableAgent is process.enable_privileged_agent(connections?): the master starts a process that keeps its rights, has
// no connections of clients and runs init_worker_by_lua and timers.
func enableAgent(c *Ctx, l *lua.LState) int {
	n := float64(agentConnections)
	if v := l.Get(1); lua.LVAsBool(v) {
		num, ok := v.(lua.LNumber)
		if !ok || num < 0 {
			return fail(l, "bad 'connections' argument: number expected and greater than 0")
		}
		n = float64(num)
	}
	switch {
	case int(n) == 0 && !c.Cycle.Conf.Worker:
		c.Logf(log.Alert, "0 worker_connection is not enough, privileged agent process cannot be spawned")
	case int(n) > 0 && c.agent == nil:
		c.Engine.agent = &process.Helper{Name: "privileged agent process", Respawn: true, Privileged: true}
		c.Cycle.AddHelper(c.agent)
	}
	if c.agent != nil {
		c.agent.Connections = int(n)
	}
	return ret(l, lua.LTrue)
}
