package process

import (
	"slices"
	"strings"
)

// environment selects what of the environment a new process gets: the
// variables that env directives name or set, and TZ (ngx_set_environment).
func (c *Core) environment(environ []string) []string {
	names := c.Env
	if !slices.ContainsFunc(names, func(s string) bool { return s == "TZ" || strings.HasPrefix(s, "TZ=") }) {
		names = append(slices.Clone(names), "TZ")
	}
	env := []string{}
	for _, name := range names {
		if strings.Contains(name, "=") {
			env = append(env, name)
			continue
		}
		if v, ok := lookup(environ, name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func lookup(environ []string, name string) (string, bool) {
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}

// tuning are the variables that steer the Go runtime and our own
// measurements. They pass from the master to its children although no env
// directive names them.
var tuning = []string{"GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG", "GOTRACEBACK", profileVariable}

// Defaults of the runtime in a worker. One goroutine at a time does the work,
// so a second processor is for the garbage collector and for offloaded file
// I/O only. For the collector see settleMemory.
const (
	workerGOGC       = "400"
	workerGOMAXPROCS = "2"
)

// childEnvironment is the environment of a worker or helper.
func (c *Core) childEnvironment(environ []string) []string {
	env := c.environment(environ)
	for _, name := range tuning {
		if _, ok := lookup(env, name); ok {
			continue
		}
		v, ok := lookup(environ, name)
		switch {
		case ok:
		case name == "GOGC":
			v = workerGOGC
		case name == "GOMAXPROCS":
			v = workerGOMAXPROCS
		default:
			continue
		}
		env = append(env, name+"="+v)
	}
	return env
}
