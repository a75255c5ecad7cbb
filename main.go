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
	"moongate/http/modules/gunzip"
	"moongate/http/modules/gzip"
	"moongate/http/modules/gzipstatic"
	"moongate/http/modules/headers"
	"moongate/http/modules/index"
	httplog "moongate/http/modules/log"
	"moongate/http/modules/notmodified"
	"moongate/http/modules/rangefilter"
	"moongate/http/modules/rewrite"
	"moongate/http/modules/static"
	"moongate/http/modules/tryfiles"
)

// httpOptions lists the HTTP modules. Within a phase, handlers run in the
// order of this list, which is the reverse of that of nginx's auto/modules: in
// the content phase what may take a request for a folder comes before static,
// which takes everything.
//
// A response passes the filters in the order of their lists, as in nginx.
// What decides about the body as a whole comes first (the header of a
// conditional request, the range of a body still in one piece), then what
// changes it, and behind Postpone what works on the bytes that go out.
var httpOptions = &http.Options{
	Serve: h1.Serve,
	Modules: []*http.Module{
		rewrite.Module,
		tryfiles.Module,
		index.Module,
		gzipstatic.Module,
		static.Module,
		notmodified.Module,
		rangefilter.Body,
		headers.Module,
		gunzip.Module,
		gzip.Module,
		rangefilter.Header,
		httplog.Module,
	},
	HeaderFilters: []*http.Module{
		notmodified.Module,
		headers.Module,
		gunzip.Module,
		gzip.Module,
		rangefilter.Header,
	},
	BodyFilters: []*http.Module{
		rangefilter.Body,
		headers.Module,
		gunzip.Module,
		http.Postpone,
		gzip.Module,
	},
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
