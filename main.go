// Moongate is a web server that takes nginx.conf, with OpenResty's Lua inside,
// as it is.
package main

import (
	"os"

	"moongate/conf"
	"moongate/core/cli"
	"moongate/core/process"
)

// modules are the parts of the server, in the order in which their
// configuration is completed and their processes start.
var modules = join(process.Modules)

func join(groups ...[]*conf.Module) (all []*conf.Module) {
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

func main() { os.Exit(cli.Main(modules)) }
