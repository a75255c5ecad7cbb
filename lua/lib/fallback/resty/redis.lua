-- resty.redis: a client of Redis over cosockets (RESP 2).
local tcp = ngx.socket.tcp
local null = ngx.null
local type = type
local pairs = pairs
local tonumber = tonumber
local tostring = tostring
local select = select
local setmetatable = setmetatable
local sub = string.sub
local byte = string.byte
local new_tab = require "table.new"
local socket_methods = require "resty.socket_methods"

-- The fields with an underscore are those of objects that have none of their own; they are no commands.
local _M = { _VERSION = "0.33", _sock = false, _subscribed = false, _reqs = false, _module_prefix = false }

local common = {
    "get", "set", "mget", "mset", "del", "incr", "decr", "llen", "lindex", "lpop", "lpush", "lrange", "linsert",
    "hexists", "hget", "hset", "hmget", "hdel", "smembers", "sismember", "sadd", "srem", "sdiff", "sinter", "sunion",
    "zrange", "zrangebyscore", "zrank", "zadd", "zrem", "zincrby", "auth", "eval", "expire", "script", "sort",
}

local pubsub = { subscribe = true, psubscribe = true, unsubscribe = true, punsubscribe = true }

local function closed()
    return nil, "not initialized"
end

socket_methods(_M, "_sock", { get_reused_times = "getreusedtimes", close = "close" })

local function read_reply(self, sock)
    local line, err = sock:receive()
    if not line then
        if err == "timeout" and not self._subscribed then
            sock:close()
        end
        return nil, err
    end
    local kind = byte(line)
    if kind == 36 then -- $
        local size = tonumber(sub(line, 2))
        if size < 0 then
            return null
        end
        local data
        data, err = sock:receive(size + 2) -- with the end of the line
        if not data then
            if err == "timeout" then
                sock:close()
            end
            return nil, err
        end
        return sub(data, 1, size)
    elseif kind == 43 then -- +
        return sub(line, 2)
    elseif kind == 42 then -- *
        local n = tonumber(sub(line, 2))
        if n < 0 then
            return null
        end
        local values = new_tab(n, 0)
        for i = 1, n do
            local value
            value, err = read_reply(self, sock)
            if value then
                values[i] = value
            elseif value == nil then
                return nil, err
            else
                values[i] = { false, err } -- an error among the values
            end
        end
        return values
    elseif kind == 58 then -- :
        return tonumber(sub(line, 2))
    elseif kind == 45 then -- -
        return false, sub(line, 2)
    end
    return nil, "unknown prefix: \"" .. tostring(kind) .. "\""
end

local function text(value)
    if type(value) ~= "string" then
        value = tostring(value)
    end
    return value
end

local function append(req, n, value)
    value = text(value)
    req[n] = "$"
    req[n + 1] = #value
    req[n + 2] = "\r\n"
    req[n + 3] = value
    req[n + 4] = "\r\n"
    return n + 5
end

-- The request of a command, a table of pieces as sock:send takes it. A table
-- as the only argument stands for its elements.
local function request(command, ...)
    local nargs = select("#", ...)
    local first = ...
    local list = nargs == 1 and type(first) == "table" and first
    if list then
        nargs = #list
    end
    local req = new_tab(nargs * 5 + 8, 0)
    req[1] = "*"
    req[2] = nargs + 1
    req[3] = "\r\n"
    local n = append(req, 4, command)
    for i = 1, nargs do
        local value
        if list then
            value = list[i]
        else
            value = select(i, ...)
        end
        n = append(req, n, value)
    end
    return req
end

local function subscribed(self, command, reply)
    if command == "subscribe" or command == "psubscribe" then
        self._subscribed = true
    elseif type(reply) == "table" and reply[3] == 0 then
        self._subscribed = false
    end
end

-- What comes before the argument of a command that has one.
local function head(command)
    return "*2\r\n$" .. #command .. "\r\n" .. command .. "\r\n$"
end

local function execute(self, command, before, ...)
    local sock = self._sock
    if not sock then
        return closed()
    end
    if self._subscribed and not pubsub[command] then
        return nil, "subscribed state"
    end
    local prefix = self._module_prefix
    if prefix then
        self._module_prefix = nil
        command = prefix .. command
        before = head(command)
    end
    local req
    local first = ...
    if select("#", ...) == 1 and type(first) == "string" then
        req = before .. #first .. "\r\n" .. first .. "\r\n"
    else
        req = request(command, ...)
    end
    local queued = self._reqs
    if queued then
        queued[#queued + 1] = req
        return
    end
    local bytes, err = sock:send(req)
    if not bytes then
        return nil, err
    end
    local reply
    reply, err = read_reply(self, sock)
    if reply and pubsub[command] then
        subscribed(self, command, reply)
        local n = select("#", ...)
        if n > 1 then
            local replies = { reply }
            for i = 2, n do
                replies[i], err = read_reply(self, sock)
                if not replies[i] then
                    return nil, err
                end
                subscribed(self, command, replies[i])
            end
            return replies
        end
    end
    if reply then
        return reply
    end
    return reply, err
end

local function add(command)
    local before = head(command)
    local function method(self, ...)
        return execute(self, command, before, ...)
    end
    _M[command] = method
    return method
end

for i = 1, #common do
    add(common[i])
end

for command in pairs(pubsub) do
    add(command)
end

-- Other commands become methods when they are called first.
local mt = { __index = _M }

setmetatable(_M, { __index = function(_, command)
    return add(command)
end })

function _M.new(_)
    local sock, err = tcp()
    if not sock then
        return nil, err
    end
    return setmetatable({ _sock = sock }, mt)
end

function _M.register_module_prefix(name)
    _M[name] = function(self)
        self._module_prefix = name .. "."
        return self
    end
end

for name, method in pairs { set_timeout = "settimeout", set_timeouts = "settimeouts" } do
    _M[name] = function(self, ...)
        local sock = self._sock
        if not sock then
            error("not initialized", 2)
        end
        sock[method](sock, ...)
    end
end

function _M:connect(host, port, opts)
    local sock = self._sock
    if not sock then
        return closed()
    end
    self._subscribed = nil
    local ok, err
    if type(port) ~= "number" and sub(host, 1, 5) == "unix:" then
        if type(port) == "table" then
            opts = port
        end
        ok, err = sock:connect(host, opts)
    else
        ok, err = sock:connect(host, port, opts)
    end
    if not ok then
        return ok, err
    end
    if opts and opts.ssl then
        ok, err = sock:sslhandshake(false, opts.server_name, opts.ssl_verify)
        if not ok then
            return ok, "failed to do ssl handshake: " .. err
        end
    end
    return ok, err
end

function _M:set_keepalive(...)
    local sock = self._sock
    if not sock then
        return closed()
    end
    if self._subscribed then
        return nil, "subscribed state"
    end
    return sock:setkeepalive(...)
end

function _M:read_reply()
    local sock = self._sock
    if not sock then
        return closed()
    end
    if not self._subscribed then
        return nil, "not subscribed"
    end
    local reply, err = read_reply(self, sock)
    if type(reply) == "table" and (reply[1] == "unsubscribe" or reply[1] == "punsubscribe") and reply[3] == 0 then
        self._subscribed = false
    end
    return reply, err
end

local hmset = head("hmset")

-- hmset takes a table of names and values, or these in turn.
function _M:hmset(key, ...)
    local fields = ...
    if select("#", ...) ~= 1 or type(fields) ~= "table" then
        return execute(self, "hmset", hmset, key, ...)
    end
    local list, n = { key }, 1
    for name, value in pairs(fields) do
        list[n + 1], list[n + 2] = name, value
        n = n + 2
    end
    return execute(self, "hmset", hmset, list)
end

function _M:init_pipeline(n)
    self._reqs = new_tab(n or 4, 0)
end

function _M:cancel_pipeline()
    self._reqs = nil
end

function _M:commit_pipeline()
    local reqs = self._reqs
    if not reqs then
        return nil, "no pipeline"
    end
    self._reqs = nil
    local sock = self._sock
    if not sock then
        return closed()
    end
    local bytes, err = sock:send(reqs)
    if not bytes then
        return nil, err
    end
    local replies = new_tab(#reqs, 0)
    for i = 1, #reqs do
        local reply
        reply, err = read_reply(self, sock)
        if reply then
            replies[i] = reply
        elseif reply == nil then
            if err == "timeout" then
                self:close()
            end
            return nil, err
        else
            replies[i] = { false, err }
        end
    end
    return replies
end

function _M:array_to_hash(list)
    local hash = new_tab(0, #list / 2)
    for i = 1, #list, 2 do
        hash[list[i]] = list[i + 1]
    end
    return hash
end

function _M.add_commands(...)
    for i = 1, select("#", ...) do
        add((select(i, ...)))
    end
end

return _M
