-- resty.memcached: a client of memcached's text protocol over cosockets.
local tcp = ngx.socket.tcp
local escape_uri = ngx.escape_uri
local unescape_uri = ngx.unescape_uri
local match = string.match
local sub = string.sub
local type = type
local error = error
local setmetatable = setmetatable

local _M = { _VERSION = "0.17" }
local mt = { __index = _M }

function _M.new(_, opts)
    local sock, err = tcp()
    if not sock then
        return nil, err
    end
    local escape, unescape = escape_uri, unescape_uri
    local key_transform = opts and opts.key_transform
    if key_transform then
        escape, unescape = key_transform[1], key_transform[2]
        if not escape or not unescape then
            return nil, "expecting key_transform = { escape, unescape } table"
        end
    end
    return setmetatable({ sock = sock, escape_key = escape, unescape_key = unescape }, mt)
end

local methods = { connect = "connect", sslhandshake = "sslhandshake", set_keepalive = "setkeepalive",
                  get_reused_times = "getreusedtimes", close = "close" }
require "resty.socket_methods"(_M, "sock", methods)

function _M:set_timeout(timeout)
    if not self.sock then
        return nil, "not initialized"
    end
    self.sock:settimeout(timeout)
    return 1
end

function _M:set_timeouts(connect, send, read)
    if not self.sock then
        return nil, "not initialized"
    end
    self.sock:settimeouts(connect, send, read)
    return 1
end

-- command sends a request and reads the line that answers it.
local function command(self, req)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    local bytes, err = sock:send(req)
    if not bytes then
        return nil, err
    end
    local line
    line, err = sock:receive()
    if not line and err == "timeout" then
        sock:close()
    end
    return line, err
end

-- value reads the data behind a VALUE line, with the line end.
local function value(sock, size)
    local data, err = sock:receive(size)
    if not data then
        if err == "timeout" then
            sock:close()
        end
        return nil, err
    end
    local crlf
    crlf, err = sock:receive(2)
    if not crlf then
        return nil, err
    end
    return data
end

local function fetch_one(self, verb, key, with_cas)
    local line, err = command(self, { verb, " ", self.escape_key(key), "\r\n" })
    if not line then
        return nil, nil, err, err
    end
    if line == "END" then
        return nil, nil, nil, nil
    end
    local flags, size, cas
    if with_cas then
        flags, size, cas = match(line, "^VALUE %S+ (%d+) (%d+) (%d+)$")
    else
        flags, size = match(line, "^VALUE %S+ (%d+) (%d+)$")
    end
    if not flags then
        return nil, nil, line, line
    end
    local data
    data, err = value(self.sock, size)
    if not data then
        return nil, nil, err, err
    end
    line, err = self.sock:receive() -- END
    if not line then
        return nil, nil, err, err
    end
    if with_cas then
        return data, flags, cas, nil
    end
    return data, flags, nil, nil
end

local function fetch_many(self, verb, keys, with_cas)
    local results = {}
    if #keys == 0 then
        return results
    end
    local req, n = { verb }, 1
    for i = 1, #keys do
        req[n + 1], req[n + 2] = " ", self.escape_key(keys[i])
        n = n + 2
    end
    req[n + 1] = "\r\n"
    local line, err = command(self, req)
    while line and line ~= "END" do
        local key, flags, size, rest = match(line, "^VALUE (%S+) (%d+) (%d+)(.*)$")
        if not key then
            return nil, line
        end
        local data
        data, err = value(self.sock, size)
        if not data then
            return nil, err
        end
        if with_cas then
            results[self.unescape_key(key)] = { data, flags, sub(rest, 2) }
        else
            results[self.unescape_key(key)] = { data, flags }
        end
        line, err = self.sock:receive()
    end
    if not line then
        return nil, err
    end
    return results
end

function _M:get(key)
    if type(key) == "table" then
        return fetch_many(self, "get", key, false)
    end
    local data, flags, _, err = fetch_one(self, "get", key, false)
    return data, flags, err
end

function _M:gets(key)
    if type(key) == "table" then
        return fetch_many(self, "gets", key, true)
    end
    local data, flags, cas, err = fetch_one(self, "gets", key, true)
    return data, flags, not err and cas or nil, err
end

local function pieces(v)
    if type(v) ~= "table" then
        return v, #tostring(v)
    end
    v = table.concat(v)
    return v, #v
end

local function store(self, verb, key, v, exptime, flags, cas)
    local size
    v, size = pieces(v)
    local req = {
        verb, " ", self.escape_key(key), " ", flags or 0, " ", exptime or 0, " ", size, cas and " " .. cas or "", "\r\n",
        v, "\r\n",
    }
    local line, err = command(self, req)
    if not line then
        return nil, err
    end
    if line == "STORED" then
        return 1
    end
    return nil, line
end

for _, verb in ipairs { "set", "add", "replace", "append", "prepend" } do
    _M[verb] = function(self, key, v, exptime, flags)
        return store(self, verb, key, v, exptime, flags)
    end
end

function _M:cas(key, v, cas_uniq, exptime, flags)
    return store(self, "cas", key, v, exptime, flags, cas_uniq)
end

function _M:delete(key)
    local line, err = command(self, { "delete ", self.escape_key(key), "\r\n" })
    if not line then
        return nil, err
    end
    if line ~= "DELETED" then
        return nil, line
    end
    return 1
end

function _M:touch(key, exptime)
    local line, err = command(self, { "touch ", self.escape_key(key), " ", exptime, "\r\n" })
    if not line then
        return nil, err
    end
    if line ~= "TOUCHED" then
        return nil, line
    end
    return 1
end

function _M:flush_all(time)
    local line, err = command(self, time and { "flush_all ", time, "\r\n" } or "flush_all\r\n")
    if not line then
        return nil, err
    end
    if line ~= "OK" then
        return nil, line
    end
    return 1
end

local function change(self, verb, key, delta)
    local line, err = command(self, { verb, " ", self.escape_key(key), " ", delta, "\r\n" })
    if not line then
        return nil, err
    end
    if not match(line, "^%d+$") then
        return nil, line
    end
    return line
end

function _M:incr(key, delta)
    return change(self, "incr", key, delta)
end

function _M:decr(key, delta)
    return change(self, "decr", key, delta)
end

function _M:stats(args)
    local line, err = command(self, args and { "stats ", args, "\r\n" } or "stats\r\n")
    local lines, n = {}, 0
    while line and line ~= "END" do
        if not match(line, "^STAT ") then
            return nil, line
        end
        n = n + 1
        lines[n] = line
        line, err = self.sock:receive()
    end
    if not line then
        return nil, err
    end
    return lines
end

function _M:version()
    local line, err = command(self, "version\r\n")
    if not line then
        return nil, err
    end
    local version = match(line, "^VERSION (.+)$")
    if not version then
        return nil, line
    end
    return version
end

function _M:verbosity(level)
    local line, err = command(self, { "verbosity ", level, "\r\n" })
    if not line then
        return nil, err
    end
    if line ~= "OK" then
        return nil, line
    end
    return 1
end

function _M:quit()
    if not self.sock then
        return nil, "not initialized"
    end
    local bytes, err = self.sock:send("quit\r\n")
    if not bytes then
        return nil, err
    end
    return 1
end

return _M
