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
	redis  bool              // needs a redis, which then listens on redisPort

	redisPort int
}

// cases is every row.
func cases() []benchCase { return slices.Concat(httpCases, luaCases, processCases) }

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
