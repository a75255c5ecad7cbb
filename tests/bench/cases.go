package main

import (
	"context"
	"slices"
	"strings"
)

// benchCase is one row of the bench: what is served and how it is measured.
type benchCase struct {
	name, title string
	measure     func(context.Context, *options, benchCase, []*target) (*result, error)

	uri    string            // what wrk asks for
	log    bool              // access_log on
	http   string            // directives of the http block
	server string            // directives of the server block
	files  map[string]string // below the prefix
	lua    bool              // needs the Lua module
	redis  bool              // needs a redis, which then listens on redisPort (%REDIS%)
	// backend is the server block of another Moongate, which both servers ask; it listens on backendPort (%BACKEND%).
	backend string

	redisPort, backendPort int
}

// cases is every row.
func cases() []benchCase { return slices.Concat(httpCases, proxyCases, luaCases, processCases) }

// httpCases are the rows without Lua.
var httpCases = []benchCase{
	{
		name: "return", title: "return 200 with a short text", measure: throughput,
		uri: "/", server: `location / { return 200 "hello\n"; }`,
	},
	{
		name: "return-log", title: "the same with the access log on", measure: throughput, log: true,
		uri: "/", server: `location / { return 200 "hello\n"; }`,
	},
	{
		name: "file-1k", title: "a file of 1 KB", measure: throughput,
		uri: "/1k.txt", files: map[string]string{"html/1k.txt": strings.Repeat("0123456789abcde\n", 64)},
	},
	{
		name: "file-1k-log", title: "the same with the access log on", measure: throughput, log: true,
		uri: "/1k.txt", files: map[string]string{"html/1k.txt": strings.Repeat("0123456789abcde\n", 64)},
	},
	{
		name: "file-100k", title: "a file of 100 KB", measure: throughput,
		uri: "/100k.txt", files: map[string]string{"html/100k.txt": strings.Repeat("0123456789abcde\n", 6400)},
	},
}

// proxyCases are the rows about upstreams.
var proxyCases = []benchCase{
	{
		name: "proxy-small", title: "a short response of an upstream, kept alive", measure: throughput,
		uri: "/", backend: `location / { return 200 "hello\n"; }`,
		http:   "upstream backend { server 127.0.0.1:%BACKEND%; keepalive 64; }",
		server: `location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }`,
	},
	{
		name: "proxy-1m", title: "1 MB of an upstream, kept alive", measure: throughput,
		uri: "/1m", backend: `location / { root html; }`, files: map[string]string{"html/1m": strings.Repeat("0123456789abcde\n", 1<<16)},
		http:   "upstream backend { server 127.0.0.1:%BACKEND%; keepalive 64; }",
		server: `location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_max_temp_file_size 0; }`,
	},
	{
		name: "cache-hit", title: "1 KB out of the cache", measure: throughput,
		uri: "/1k", backend: `location / { root html; expires 1h; }`, files: map[string]string{"html/1k": strings.Repeat("0123456789abcde\n", 64)},
		http:   "proxy_cache_path %PREFIX%/cache levels=1:2 keys_zone=bench:1m;",
		server: `location / { proxy_pass http://127.0.0.1:%BACKEND%; proxy_cache bench; }`,
	},
}

// processCases are the rows about the processes themselves.
var processCases = []benchCase{
	{
		name: "idle", title: "memory for each idle keep-alive connection", measure: idle,
		uri: "/", server: `location / { return 200 "hello\n"; }`,
	},
	{
		name: "sleep", title: "memory for each request in ngx.sleep", measure: sleeping, lua: true,
		uri: "/sleep", server: `listen unix:%PREFIX%/h2.sock http2 backlog=4096;
			location / { return 200 "hello\n"; }
			location /sleep { content_by_lua_block { ngx.sleep(tonumber(ngx.var.seconds)) ngx.say("awake") } }`,
	},
	{
		name: "servers", title: "many server blocks: time of -t and of a start", measure: load,
	},
}
