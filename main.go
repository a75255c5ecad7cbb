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
	"moongate/http/h2"
	"moongate/http/modules/access"
	"moongate/http/modules/addition"
	"moongate/http/modules/authbasic"
	"moongate/http/modules/authrequest"
	"moongate/http/modules/autoindex"
	"moongate/http/modules/brotli"
	"moongate/http/modules/browser"
	"moongate/http/modules/charset"
	"moongate/http/modules/dav"
	"moongate/http/modules/echo"
	"moongate/http/modules/emptygif"
	"moongate/http/modules/encryptedsession"
	"moongate/http/modules/fastcgi"
	"moongate/http/modules/flv"
	"moongate/http/modules/geo"
	"moongate/http/modules/geoip"
	"moongate/http/modules/geoip2"
	"moongate/http/modules/grpc"
	"moongate/http/modules/gunzip"
	"moongate/http/modules/gzip"
	"moongate/http/modules/gzipstatic"
	"moongate/http/modules/headers"
	"moongate/http/modules/headersmore"
	"moongate/http/modules/imagefilter"
	"moongate/http/modules/index"
	"moongate/http/modules/limitconn"
	"moongate/http/modules/limitreq"
	httplog "moongate/http/modules/log"
	"moongate/http/modules/mapvar"
	"moongate/http/modules/memc"
	"moongate/http/modules/memcached"
	"moongate/http/modules/mirror"
	"moongate/http/modules/mp4"
	"moongate/http/modules/notmodified"
	"moongate/http/modules/proxy"
	"moongate/http/modules/randomindex"
	"moongate/http/modules/rangefilter"
	"moongate/http/modules/realip"
	"moongate/http/modules/referer"
	"moongate/http/modules/rewrite"
	"moongate/http/modules/scgi"
	"moongate/http/modules/securelink"
	"moongate/http/modules/setmisc"
	"moongate/http/modules/slice"
	"moongate/http/modules/splitclients"
	"moongate/http/modules/ssi"
	"moongate/http/modules/ssl"
	"moongate/http/modules/static"
	"moongate/http/modules/stubstatus"
	"moongate/http/modules/sub"
	"moongate/http/modules/tryfiles"
	"moongate/http/modules/tunnel"
	"moongate/http/modules/userid"
	"moongate/http/modules/uwsgi"
	"moongate/http/modules/zstd"
	"moongate/http/upstream"
	"moongate/http/upstream/balance"
	"moongate/lua"
)

// httpOptions lists the HTTP modules. Within a phase, handlers run in the
// order of this list, which is the reverse of that of nginx's auto/modules: in
// the content phase what may take a request for a folder comes before static,
// which takes everything.
//
// A response passes the filters in the order of their lists, as in nginx.
// What decides about the body as a whole comes first (the header of a
// conditional request, the range of a body still in one piece), then what
// changes it, and behind Postpone what works on the bytes that go out. The
// modules of third parties stand before headers, in the reverse of the order in
// which OpenResty adds them: echo, set-misc, lua, headers-more.
var httpOptions = &http.Options{
	Serve: h2.Serve(h1.Serve),
	TLS:   ssl.TLS,
	Modules: []*http.Module{
		ssl.Module,
		h2.Module,
		mapvar.Module,
		geo.Module,
		geoip.Module,
		geoip2.Module,
		splitclients.Module,
		referer.Module,
		browser.Module,
		securelink.Module,
		rewrite.Module,
		realip.Module,
		limitreq.Module,
		limitconn.Module,
		access.Module,
		authbasic.Module,
		authrequest.Module,
		tryfiles.Module,
		mirror.Module,
		randomindex.Module,
		index.Module,
		autoindex.Module,
		dav.Module,
		zstd.Static,
		brotli.Static,
		gzipstatic.Module,
		static.Module,
		slice.Module,
		notmodified.Module,
		rangefilter.Body,
		headers.Module,
		userid.Module,
		gunzip.Module,
		addition.Module,
		sub.Module,
		imagefilter.Module,
		charset.Module,
		ssi.Module,
		zstd.Module,
		brotli.Module,
		gzip.Module,
		rangefilter.Header,
		slice.Last,
		emptygif.Module,
		stubstatus.Module,
		flv.Module,
		mp4.Module,
		httplog.Module,
		upstream.Module,
		balance.Hash,
		balance.IPHash,
		balance.LeastConn,
		balance.LeastTime,
		balance.Random,
		balance.Sticky,
		proxy.Module,
		fastcgi.Module,
		uwsgi.Module,
		scgi.Module,
		grpc.Module,
		memcached.Module,
		tunnel.Module,
		setmisc.NDK,
		echo.Module,
		setmisc.Module,
		encryptedsession.Module,
		memc.Module,
		headersmore.Module,
		lua.Module,
	},
	HeaderFilters: []*http.Module{
		slice.Module,
		notmodified.Module,
		headersmore.Module,
		lua.Module,
		echo.Module,
		headers.Module,
		userid.Module,
		gunzip.Module,
		addition.Module,
		sub.Module,
		imagefilter.Module,
		charset.Module,
		ssi.Module,
		zstd.Module,
		brotli.Module,
		gzip.Module,
		rangefilter.Header,
		slice.Last,
	},
	BodyFilters: []*http.Module{
		slice.Module,
		rangefilter.Body,
		lua.Module,
		echo.Module,
		headers.Module,
		gunzip.Module,
		addition.Module,
		sub.Module,
		imagefilter.Module,
		charset.Module,
		ssi.Module,
		http.Postpone,
		zstd.Module,
		brotli.Module,
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
