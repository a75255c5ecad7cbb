-- resty.websocket.client: the client's side of a WebSocket.
local endpoint = require "resty.websocket.endpoint"
local socket_methods = require "resty.socket_methods"
local char, match, concat = string.char, string.match, table.concat
local rand = math.random
local type = type
local setmetatable = setmetatable

local _M = { _VERSION = "0.12" }
local mt = { __index = _M }

endpoint.methods(_M, false, true)
socket_methods(_M, "sock", { set_keepalive = "setkeepalive" })

function _M.new(_, opts)
    local sock, err = ngx.socket.tcp()
    if not sock then
        return nil, err
    end
    opts = opts or {}
    return setmetatable(endpoint.new(sock, opts, not opts.send_unmasked), mt)
end

local function list(value)
    if type(value) == "table" then
        return concat(value, ",")
    end
    return value
end

local function request(host, path, opts)
    local key = {}
    for i = 1, 16 do
        key[i] = char(rand(0, 255))
    end
    local lines = {
        "GET ", path, " HTTP/1.1\r\nUpgrade: websocket\r\nHost: ", opts.host or host,
        "\r\nSec-WebSocket-Key: ", opts.key or ngx.encode_base64(concat(key)),
        "\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade\r\n",
    }
    local n = #lines
    local function add(name, value)
        if value then
            lines[n + 1], lines[n + 2], lines[n + 3], lines[n + 4] = name, ": ", value, "\r\n"
            n = n + 4
        end
    end
    add("Sec-WebSocket-Protocol", list(opts.protocols))
    add("Origin", opts.origin)
    for _, header in ipairs(opts.headers or {}) do
        n = n + 1
        lines[n] = header .. "\r\n"
    end
    lines[n + 1] = "\r\n"
    return concat(lines)
end

function _M:connect(uri, opts)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    opts = opts or {}
    local scheme, host, port, path = match(uri, "^(wss?)://([^:/]+):?(%d*)(.*)$")
    if not scheme then
        return nil, "bad websocket uri"
    end
    if path == "" then
        path = "/"
    end
    local ssl = scheme == "wss"
    port = port == "" and (ssl and 443 or 80) or tonumber(port)

    local sock_opts = { pool = opts.pool, pool_size = opts.pool_size, backlog = opts.backlog }
    if not sock_opts.pool then
        sock_opts.pool = (opts.server_name or host) .. ":" .. port .. (ssl and ":ssl" or "")
    end
    local ok, err = sock:connect(opts.host_addr or host, port, sock_opts)
    if not ok then
        return nil, "failed to connect: " .. err
    end
    if ssl then
        ok, err = sock:sslhandshake(false, opts.server_name or opts.host or host, opts.ssl_verify)
        if not ok then
            return nil, "ssl handshake failed: " .. err
        end
    end
    if sock:getreusedtimes() > 0 then
        return 1, nil, "connection reused"
    end
    ok, err = sock:send(request(host .. ":" .. port, path, opts))
    if not ok then
        return nil, "failed to send the handshake request: " .. err
    end
    local header
    header, err = sock:receiveuntil("\r\n\r\n")()
    if not header then
        return nil, "failed to receive response header: " .. err
    end
    if not match(header, "^%s*HTTP/1%.1%s+101") then
        return nil, "bad HTTP response status line: " .. header
    end
    return 1, nil, header
end

function _M:close()
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    if not self.closed and not self.fatal then
        local bytes, err = self:send_close()
        if not bytes then
            return nil, "failed to send close frame: " .. err
        end
    end
    return sock:close()
end

return _M
