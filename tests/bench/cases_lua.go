package main

import (
	"fmt"
	"os"
	"strings"
)

// fallback is where the redis client is that both servers load, and what it requires.
const fallback = "lua/lib/fallback/resty/"

// luaCases are the rows of the Lua module: what an application does in a request, and what the interpreter does alone.
var luaCases = []benchCase{
	{
		name: "lua-hello", title: "content_by_lua that says hello", measure: throughput, lua: true,
		uri: "/", server: `location / { content_by_lua_block { ngx.say("hello") } }`,
	},
	{
		name: "lua-phases", title: "access, content and header_filter in Lua", measure: throughput, lua: true,
		uri: "/?user=42", server: `location / {
			access_by_lua_block {
				local user = ngx.var.arg_user
				if not user then return ngx.exit(403) end
				ngx.ctx.user = user
			}
			content_by_lua_block {
				ngx.header["Content-Type"] = "text/plain"
				ngx.say("user ", ngx.ctx.user, " of ", ngx.var.host)
			}
			header_filter_by_lua_block { ngx.header["X-User"] = ngx.ctx.user }
		}`,
	},
	{
		name: "lua-dict", title: "a shared dictionary: one set, one get", measure: throughput, lua: true,
		uri: "/", http: "lua_shared_dict cache 10m;", server: `location / { content_by_lua_block {
			local cache = ngx.shared.cache
			cache:set("key", "the value of the key", 60)
			ngx.say(cache:get("key"))
		} }`,
	},
	{
		name: "lua-redis", title: "a GET through resty.redis with pooled connections", measure: throughput, lua: true,
		redis: true, uri: "/", http: `lua_package_path "%PREFIX%/lua/?.lua;;";`, files: map[string]string{
			"lua/resty/redis.lua":          fromFile(fallback + "redis.lua"),
			"lua/resty/socket_methods.lua": fromFile(fallback + "socket_methods.lua"),
		},
		server: `location / { content_by_lua_block {
			local red = require("resty.redis"):new()
			red:set_timeout(1000)
			local ok, err = red:connect("127.0.0.1", %REDIS%)
			if not ok then ngx.log(ngx.ERR, err) return ngx.exit(500) end
			local value, err = red:get("key")
			if not value then ngx.log(ngx.ERR, err) return ngx.exit(500) end
			red:set_keepalive(10000, 100)
			ngx.say(value == ngx.null and "none" or value)
		} }`,
	},
	{
		name: "lua-cjson", title: "cjson: 2 KB decoded and encoded", measure: throughput, lua: true,
		uri: "/", http: fmt.Sprintf("init_by_lua_block { document = [==[%s]==] }", document()),
		server: `location / { content_by_lua_block {
			local cjson = require "cjson"
			ngx.print(cjson.encode(cjson.decode(document)))
		} }`,
	},
	{
		name: "lua-items", title: "a Lua handler that builds 50 items from its query", measure: throughput, lua: true,
		uri: "/?n=50&name=item", server: `location / { content_by_lua_block {
			local args = ngx.req.get_uri_args()
			local out = {}
			for i = 1, tonumber(args.n) do
				out[#out + 1] = args.name .. ":" .. i .. ";"
			end
			ngx.say(table.concat(out))
		} }`,
	},
	{
		name: "lua-fib", title: "compute: fib(20), 22,000 calls", measure: throughput, lua: true,
		uri: "/", server: `location / { content_by_lua_block {
			local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
			ngx.say(fib(20))
		} }`,
	},
	{
		name: "lua-strings", title: "compute: 2,000 strings built, joined, and gone through with gsub", measure: throughput,
		lua: true, uri: "/", server: `location / { content_by_lua_block {
			local t = {}
			for i = 1, 2000 do t[#t + 1] = ("item %d"):format(i) .. "," .. i * 2 end
			local s = table.concat(t, ";")
			local n = 0
			s = s:upper():gsub("%d+", function(d) n = n + #d return "" end)
			ngx.say(#s, " ", n)
		} }`,
	},
	{
		name: "lua-sort", title: "compute: 1,000 tables sorted by a field with a comparator", measure: throughput, lua: true,
		uri: "/", server: `location / { content_by_lua_block {
			local t, x = {}, 42
			for i = 1, 1000 do
				x = (x * 16807) % 2147483647
				t[i] = { id = i, weight = x }
			end
			table.sort(t, function(a, b) return a.weight < b.weight end)
			ngx.say(t[1].id)
		} }`,
	},
}

// fromFile is the text of a file of the repository, in whose folder the bench is to run; Lua that says so otherwise.
func fromFile(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Sprintf("error(%q)", err.Error())
	}
	return string(text)
}

// document is 2 KB of JSON as an application programming interface returns it.
func document() string {
	var b strings.Builder
	b.WriteString(`{"status":"ok","total":1234,"next":null,"items":[`)
	for i := range 12 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"name":"item number %d","price":%d.%02d,"active":%t,"tags":["red","green","blue"],`+
			`"owner":{"login":"user%d","url":"https://example.com/users/%d"}}`, 1000+i, i, 3*i, 7*i%100, i%2 == 0, i, i)
	}
	b.WriteString(`]}`)
	return b.String()
}
