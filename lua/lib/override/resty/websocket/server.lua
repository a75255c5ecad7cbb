-- resty.websocket.server: the server's side of a WebSocket.
local endpoint = require "resty.websocket.endpoint"
local lower, find = string.lower, string.find
local type = type
local setmetatable = setmetatable

local _M = { _VERSION = "0.12" }
local mt = { __index = _M }

endpoint.methods(_M, true, false)

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
    return setmetatable(endpoint.new(sock, opts, opts.send_masked), mt)
end

return _M
