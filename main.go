// Moongate is a web server that takes nginx.conf, with OpenResty's Lua inside,
// as it is.
package main

import (
	"os"

	"moongate/conf"
	"moongate/core/cli"
	"moongate/core/process"
	"moongate/http"
	"moongate/http/h1"
	"moongate/http/modules/static"
)

// httpOptions lists the HTTP modules. Within a phase, handlers run in the
// order of this list.
var httpOptions = &http.Options{
	Serve: h1.Serve,
	Modules: []*http.Module{
		static.Module,
	},
	HeaderFilters: []*http.Module{},
	BodyFilters:   []*http.Module{http.Postpone},
}

// modules are the parts of the server, in the order in which their
// configuration is completed and their processes start.
var modules = join(process.Modules, http.New(httpOptions))

func join(groups ...[]*conf.Module) (all []*conf.Module) {
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

func main() { os.Exit(cli.Main(modules)) }
