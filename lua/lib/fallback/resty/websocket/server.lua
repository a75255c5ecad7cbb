-- resty.websocket.server: the server's side of a WebSocket.
local protocol = require "resty.websocket.protocol"
local recv_frame, send_frame = protocol.recv_frame, protocol.send_frame
local lower, find = string.lower, string.find
local type = type
local setmetatable = setmetatable

local _M = { _VERSION = "0.12" }
local mt = { __index = _M }

local guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

local function first(value)
    if type(value) == "table" then
        return value[1]
    end
    return value
end

function _M.new(_, opts)
    if ngx.headers_sent then
        return nil, "response header already sent"
    end
    ngx.req.read_body()
    if ngx.req.http_version() ~= 1.1 then
        return nil, "bad http version"
    end
    local headers = ngx.req.get_headers()
    local upgrade = first(headers.upgrade)
    if not upgrade or lower(upgrade) ~= "websocket" then
        return nil, "bad \"upgrade\" request header: " .. (upgrade or "nil")
    end
    local connection = first(headers.connection)
    if not connection or not find(lower(connection), "upgrade", 1, true) then
        return nil, "bad \"connection\" request header"
    end
    local key = first(headers["sec-websocket-key"])
    if not key then
        return nil, "bad \"sec-websocket-key\" request header"
    end
    local version = first(headers["sec-websocket-version"])
    if version ~= "13" then
        return nil, "bad \"sec-websocket-version\" request header"
    end
    local protocols = first(headers["sec-websocket-protocol"])

    ngx.header["Content-Type"] = nil
    ngx.header["Upgrade"] = "websocket"
    if protocols then
        ngx.header["Sec-WebSocket-Protocol"] = protocols
    end
    ngx.header["Sec-WebSocket-Accept"] = ngx.encode_base64(ngx.sha1_bin(key .. guid))
    ngx.status = 101
    local ok, err = ngx.send_headers()
    if not ok then
        return nil, "failed to send response header: " .. (err or "unknown")
    end
    ok, err = ngx.flush(true)
    if not ok then
        return nil, "failed to flush response header: " .. (err or "unknown")
    end
    local sock
    sock, err = ngx.req.socket(true)
    if not sock then
        return nil, err
    end
    opts = opts or {}
    if opts.timeout then
        sock:settimeout(opts.timeout)
    end
    return setmetatable({
        sock = sock,
        max_payload_len = opts.max_payload_len or 65535,
        max_recv_len = opts.max_recv_len or opts.max_payload_len or 65535,
        max_send_len = opts.max_send_len or opts.max_payload_len or 65535,
        send_masked = opts.send_masked,
    }, mt)
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
    local data, typ, err = recv_frame(self.sock, self.max_recv_len, true)
    if not data and not find(err, ": timeout", 1, true) then
        self.fatal = true
    end
    return data, typ, err
end

local function send(self, fin, opcode, payload)
    if self.fatal then
        return nil, "fatal error already happened"
    end
    if not self.sock then
        return nil, "not initialized yet"
    end
    local bytes, err = send_frame(self.sock, fin, opcode, payload, self.max_send_len, self.send_masked)
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
    return send(self, true, 0x8, payload)
end

function _M:send_ping(data)
    return send(self, true, 0x9, data)
end

function _M:send_pong(data)
    return send(self, true, 0xa, data)
end

return _M
