-- resty.websocket.client: the client's side of a WebSocket.
local protocol = require "resty.websocket.protocol"
local recv_frame, send_frame = protocol.recv_frame, protocol.send_frame
local char, match, find, concat = string.char, string.match, string.find, table.concat
local rand = math.random
local type = type
local setmetatable = setmetatable

local _M = { _VERSION = "0.12" }
local mt = { __index = _M }

function _M.new(_, opts)
    local sock, err = ngx.socket.tcp()
    if not sock then
        return nil, err
    end
    opts = opts or {}
    if opts.timeout then
        sock:settimeout(opts.timeout)
    end
    return setmetatable({
        sock = sock,
        max_recv_len = opts.max_recv_len or opts.max_payload_len or 65535,
        max_send_len = opts.max_send_len or opts.max_payload_len or 65535,
        send_unmasked = opts.send_unmasked,
    }, mt)
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
        ok, err = sock:sslhandshake(false, opts.server_name or host, opts.ssl_verify)
        if not ok then
            return nil, "ssl handshake failed: " .. err
        end
    end
    if sock:getreusedtimes() > 0 then
        return 1
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

function _M:set_timeout(time)
    local sock = self.sock
    if not sock then
        return nil, nil, "not initialized yet"
    end
    return sock:settimeout(time)
end

function _M:recv_frame()
    if self.fatal then
        return nil, nil, "fatal error already happened"
    end
    if not self.sock then
        return nil, nil, "not initialized yet"
    end
    local data, typ, err = recv_frame(self.sock, self.max_recv_len, false)
    if not data and not find(err, ": timeout", 1, true) then
        self.fatal = true
    end
    return data, typ, err
end

local function send(self, fin, opcode, payload)
    if self.fatal then
        return nil, "fatal error already happened"
    end
    if self.closed then
        return nil, "already closed"
    end
    if not self.sock then
        return nil, "not initialized yet"
    end
    local bytes, err = send_frame(self.sock, fin, opcode, payload, self.max_send_len, not self.send_unmasked)
    if not bytes then
        self.fatal = true
    end
    return bytes, err
end

_M.send_frame = send

function _M:send_text(data)
    return send(self, true, 0x1, data)
end

function _M:send_binary(data)
    return send(self, true, 0x2, data)
end

function _M:send_close(code, msg)
    local payload, err = protocol.close_payload(code, msg)
    if not payload then
        return nil, err
    end
    local bytes
    bytes, err = send(self, true, 0x8, payload)
    self.closed = true
    return bytes, err
end

function _M:send_ping(data)
    return send(self, true, 0x9, data)
end

function _M:send_pong(data)
    return send(self, true, 0xa, data)
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

function _M:set_keepalive(...)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    return sock:setkeepalive(...)
end

return _M
