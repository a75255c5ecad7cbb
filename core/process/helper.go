package process

import (
	"time"

	"moongate/core/log"
)

// Helper is a process beside the workers that serves no connections.
type Helper struct {
	// Name is its title: "cache manager process".
	Name string
	// Run is the helper's work, in a fiber; the process ends when it returns.
	// Without it modules start in the helper as they do in a worker, and it
	// lives until it is told to exit.
	Run func(w *Worker)
	// Respawn starts it again when it dies.
	Respawn bool
	// Privileged keeps the rights of the super-user.
	Privileged bool
	// Connections is its worker_connections; 0 means 512.
	Connections int
}

// AddHelper has the master start a helper process for the cycle.
func (c *Cycle) AddHelper(h *Helper) { c.helpers = append(c.helpers, h) }

// loaderDelay is when the cache loader starts after the workers.
const loaderDelay = time.Minute

// managerIdle is how long the cache manager sleeps at most.
const managerIdle = time.Hour

// allHelpers are the helpers that modules asked for and those that the paths
// need (ngx_start_cache_manager_processes).
func (c *Cycle) allHelpers() []*Helper {
	managed, loaded := false, false
	for _, p := range c.paths {
		managed = managed || p.Manager != nil
		loaded = loaded || p.Loader != nil
	}
	var list []*Helper
	if managed {
		list = append(list, &Helper{Name: "cache manager process", Run: manageCaches, Respawn: true})
	}
	if managed && loaded {
		list = append(list, &Helper{Name: "cache loader process", Run: loadCaches})
	}
	return append(list, c.helpers...)
}

func (c *Cycle) helper(name string) *Helper {
	for _, h := range c.allHelpers() {
		if h.Name == name {
			return h
		}
	}
	return nil
}

func manageCaches(w *Worker) {
	for {
		next := managerIdle
		for _, p := range w.Cycle.paths {
			if p.Manager != nil {
				next = min(next, p.Manager(w))
			}
		}
		if w.Loop.Sleep(max(next, time.Millisecond)) != nil {
			return
		}
	}
}

func loadCaches(w *Worker) {
	if w.Loop.Sleep(loaderDelay) != nil {
		return
	}
	for _, p := range w.Cycle.paths {
		if p.Loader != nil && !w.Stopping() {
			p.Loader(w)
		}
	}
}

// runHelper is the life of a helper process on its loop.
func (w *Worker) runHelper(h *Helper) {
	if h.Run != nil {
		w.Loop.Go(func() {
			h.Run(w)
			w.Loop.Stop()
		})
	}
	if err := w.Loop.Run(); err != nil {
		w.Cycle.log.Log(log.Alert, err, "the event loop failed")
	}
	if h.Run == nil {
		w.Cycle.log.Log(log.Notice, nil, "exit")
	}
}
