local greeting = require "greeting"

ngx.say(greeting.text())
ngx.say("lua_code_cache is ", package.loaded.seen_before and "on: this worker kept the modules"
                              or "off, or this is the worker's first request")
package.loaded.seen_before = true
