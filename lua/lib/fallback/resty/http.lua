-- resty.http: an HTTP/1.1 client over cosockets, with the interface of lua-resty-http.

local body = require "resty.http_body"
local connect = require "resty.http_connect"
local http_headers = require "resty.http_headers"
local socket_methods = require "resty.socket_methods"

local concat, setmetatable, tonumber, tostring, type = table.concat, setmetatable, tonumber, tostring, type

local _M = { _VERSION = "0.17.2" }
_M._USER_AGENT = "lua-resty-http/" .. _M._VERSION .. " (Lua) ngx_lua/" .. ngx.config.ngx_lua_version

local mt = { __index = _M }

-- Fields of one connection only (RFC 9110, 7.6.1), which proxy_response keeps back.
local HOP_BY_HOP = {
    ["connection"] = true, ["keep-alive"] = true, ["proxy-authenticate"] = true, ["proxy-authorization"] = true,
    ["te"] = true, ["trailers"] = true, ["transfer-encoding"] = true, ["upgrade"] = true, ["content-length"] = true,
}


function _M.new(_)
    local sock, err = ngx.socket.tcp()
    if not sock then
        return nil, err
    end
    return setmetatable({ sock = sock, keepalive = true }, mt)
end


function _M.debug() end


socket_methods(_M, "sock", { set_timeout = "settimeout", set_timeouts = "settimeouts",
                             get_reused_times = "getreusedtimes", close = "close" })


function _M.ssl_handshake(self, ...)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    self.ssl = true
    return sock:sslhandshake(...)
end


-- connect(options), or in the old way connect(host, port, options) and connect("unix:path", options).
function _M.connect(self, first, ...)
    if type(first) == "table" then
        return connect(self, first)
    end
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    local port = ...
    self.host, self.port, self.keepalive = first, tonumber(port), true
    self.path_prefix = nil
    return sock:connect(first, ...)
end

_M.tcp_only_connect = _M.connect


function _M.set_proxy_options(self, opts)
    self.proxy_opts = setmetatable({}, { __index = opts })
end


-- The proxy for a host, nil when there is none.
function _M.get_proxy_uri(self, scheme, host, opts)
    opts = opts or self.proxy_opts
    local no_proxy = opts and opts.no_proxy
    if no_proxy == "*" then
        return nil
    end
    for name in (no_proxy or ""):gmatch("[^,%s]+") do
        local suffix = "." .. name:gsub("^%.", "")
        if host == name or host:sub(-#suffix) == suffix then
            return nil
        end
    end
    return opts and opts[scheme .. "_proxy"]
end


function _M.connect_proxy(self, proxy_uri, scheme, host, port, authorization)
    return connect(self, {
        scheme = scheme, host = host, port = port, ssl_verify = false,
        proxy_opts = {
            http_proxy = proxy_uri, https_proxy = proxy_uri,
            http_proxy_authorization = authorization, https_proxy_authorization = authorization,
        },
    })
end


function _M.set_keepalive(self, ...)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    if self.keepalive then
        return sock:setkeepalive(...)
    end
    local ok, err = sock:close()
    if not ok then
        return nil, err
    end
    return 2, "connection must be closed"
end


-- { scheme, host, port, path, query }: the query is part of the path unless query_in_path is false.
function _M.parse_uri(_, uri, query_in_path)
    local m, err = ngx.re.match(uri, [[^(?:(https?):)?//((?:[^\[\]:/\?#]+)|(?:\[.+\]))(?::(\d+))?([^\?#]*)\??([^#]*)]], "jo")
    if not m then
        return nil, "failed to match the uri: " .. uri .. (err and ", " .. err or "")
    end
    local scheme, path, query = m[1], m[4] or "", m[5] or ""
    if not scheme or scheme == "" then
        scheme = ngx.get_phase() ~= "init" and pcall(function() scheme = ngx.var.scheme end) and scheme or nil
        if not scheme then
            return nil, "bad uri: no scheme in " .. uri
        end
    end
    if path == "" then
        path = "/"
    end
    if query_in_path ~= false and query ~= "" then
        path, query = path .. "?" .. query, nil
    end
    local port = tonumber(m[3]) or (scheme == "https" and 443 or 80)
    return { scheme, m[2], port, path, query }
end


-- The request line and fields of a request.
local function head(self, params, headers)
    local query = params.query or ""
    if type(query) == "table" then
        query = ngx.encode_args(query)
    end
    if query ~= "" and query:sub(1, 1) ~= "?" then
        query = "?" .. query
    end
    local lines = {
        ("%s %s%s%s HTTP/%s\r\n"):format(params.method:upper(), self.path_prefix or "", params.path, query, params.version),
    }
    for name, value in pairs(headers) do
        for _, v in ipairs(type(value) == "table" and value or { value }) do
            lines[#lines + 1] = name .. ": " .. tostring(v) .. "\r\n"
        end
    end
    lines[#lines + 1] = "\r\n"
    return concat(lines)
end


-- The fields that a request has besides those that the caller gives.
local function complete(self, params)
    local headers = http_headers.new()
    for name, value in pairs(params.headers or {}) do
        headers[name] = value
    end
    if not headers["Host"] then
        local host = self.host or ""
        if host:sub(1, 5) == "unix:" then
            return nil, "Unable to generate a useful Host header for a unix domain socket. Please provide one."
        end
        if self.port and self.port ~= (self.ssl and 443 or 80) then
            host = host .. ":" .. self.port
        end
        headers["Host"] = host
    end
    headers["User-Agent"] = headers["User-Agent"] or _M._USER_AGENT
    if self.http_proxy_auth and not headers["Proxy-Authorization"] then
        headers["Proxy-Authorization"] = self.http_proxy_auth
    end
    if params.version == 1.0 and not headers["Connection"] then
        headers["Connection"] = "Keep-Alive"
    end
    local content = params.body
    if headers["Content-Length"] or body.is_chunked(headers["Transfer-Encoding"]) then
        return headers
    end
    local kind = type(content)
    if kind == "function" then
        return nil, "Request body is a function but a length or chunked encoding is not specified"
    elseif kind == "table" then
        local length = 0
        for _, piece in ipairs(content) do
            length = length + #tostring(piece)
        end
        headers["Content-Length"] = length
    elseif content then
        headers["Content-Length"] = #tostring(content)
    elseif params.method == "POST" or params.method == "PUT" or params.method == "PATCH" then
        headers["Content-Length"] = 0
    end
    return headers
end


-- Sends a body: a string, a table of strings, or an iterator, which may also yield.
local function send_body(sock, content)
    if type(content) ~= "function" then
        return sock:send(content)
    end
    while true do
        local piece, err, partial = content()
        if not piece then
            if err then
                return nil, err, partial
            end
            return true
        end
        local ok, failure = sock:send(piece)
        if not ok then
            return nil, failure
        end
    end
end


local function receive_status(sock)
    local line, err = sock:receive("*l")
    if not line then
        return nil, nil, nil, err
    end
    local version, status, reason = line:match("^HTTP/(%d%.%d) (%d%d%d) ?(.*)$")
    if not status then
        return nil, nil, nil, "couldn't parse HTTP version from response status line: " .. line
    end
    return tonumber(status), tonumber(version), reason
end


local function receive_headers(sock)
    local headers = http_headers.new()
    while true do
        local line, err = sock:receive("*l")
        if not line then
            return nil, err
        end
        local name, value = line:match("^([^:%s]+):%s*(.-)%s*$")
        if not name then
            return headers
        end
        local before = headers[name]
        if before == nil then
            headers[name] = value
        elseif type(before) == "table" then
            before[#before + 1] = value
        else
            headers[name] = { before, value }
        end
    end
end


function _M.send_request(self, params)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    setmetatable(params, { __index = { method = "GET", version = 1.1, path = "/" } })
    local headers, err = complete(self, params)
    if not headers then
        return nil, err
    end
    params.headers = headers
    local _
    _, err = sock:send(head(self, params, headers))
    if err then
        return nil, err
    end
    if params.body and tostring(headers["Expect"]):lower() ~= "100-continue" then
        local ok, failure, partial = send_body(sock, params.body)
        if not ok then
            return nil, failure, partial
        end
    end
    return true
end


-- Whether the connection stays open behind a response, by one side's Connection field.
local function keeps(headers, version)
    local field = headers["Connection"]
    field = type(field) == "table" and concat(field, ",") or field or ""
    field = field:lower()
    if version == 1.0 then
        return field:find("keep-alive", 1, true) ~= nil
    end
    return not field:find("close", 1, true)
end


local function read_body(res)
    local reader = res.body_reader
    if not reader then
        return nil, "no body to be read"
    end
    local pieces = {}
    while true do
        local piece, err = reader()
        if err then
            return nil, err, concat(pieces)
        end
        if not piece then
            return concat(pieces)
        end
        pieces[#pieces + 1] = piece
    end
end


local function read_trailers(res)
    for name, value in pairs(res.trailers or {}) do
        res.headers[name] = value
    end
    return res.headers
end


function _M.read_response(self, params)
    local sock = self.sock
    local status, version, reason, err
    local unsent = params.body and tostring((params.headers or {})["Expect"]):lower() == "100-continue"
    local headers
    repeat
        status, version, reason, err = receive_status(sock)
        if not status then
            return nil, err
        end
        headers, err = receive_headers(sock)
        if not headers then
            return nil, err
        end
        if status == 100 and unsent then
            unsent = false
            local ok, failure = send_body(sock, params.body)
            if not ok then
                return nil, failure
            end
        end
    until status >= 200 or status == 101

    self.keepalive = self.keepalive and not unsent and keeps(headers, version) and
        keeps(params.headers or {}, params.version or 1.1)

    local res = {
        status = status, reason = reason, headers = headers, has_body = false, body_reader = body.none,
        read_body = read_body, read_trailers = read_trailers, trailers = {},
    }
    local method = params.method or "GET"
    if method == "HEAD" or method == "CONNECT" and status < 300 or status == 204 or status == 304 or status < 200 then
        return res
    end
    res.has_body = true
    local length = tonumber(headers["Content-Length"])
    if version == 1.1 and body.is_chunked(headers["Transfer-Encoding"]) then
        res.body_reader = body.chunked(sock, nil, function(name, value) res.trailers[name] = value end)
    else
        res.body_reader = body.plain(sock, length)
        self.keepalive = self.keepalive and length ~= nil
    end
    return res
end


function _M.request(self, params)
    local copy = {}
    for _, name in ipairs { "method", "path", "query", "version", "headers", "body" } do
        copy[name] = params[name]
    end
    local ok, err = self:send_request(copy)
    if not ok then
        return nil, err
    end
    return self:read_response(copy)
end


-- Sends all requests; each response is read when one of its fields is first looked at.
function _M.request_pipeline(self, requests)
    for _, params in ipairs(requests) do
        local ok, err = self:send_request(params)
        if not ok then
            return nil, err
        end
    end
    local responses = {}
    for i, params in ipairs(requests) do
        responses[i] = setmetatable({ params = params, response_read = false }, {
            __index = function(t, name)
                if t.response_read then
                    return nil
                end
                t.response_read = true
                local res, err = self:read_response(params)
                if not res then
                    ngx.log(ngx.ERR, err)
                    return nil
                end
                for k, v in pairs(res) do
                    rawset(t, k, v)
                end
                return rawget(t, name)
            end,
        })
    end
    return responses
end


-- One request from connect to close: the response has its body.
function _M.request_uri(self, uri, params)
    params = setmetatable({}, { __index = params or {} })
    local parsed, err = self:parse_uri(uri, false)
    if not parsed then
        return nil, err
    end
    params.scheme, params.host, params.port = parsed[1], parsed[2], parsed[3]
    params.path = params.path or parsed[4]
    params.query = params.query or parsed[5]
    params.ssl_server_name = params.ssl_server_name or params.host:match("^%[?(.-)%]?$")

    local ok
    ok, err = self:connect(params)
    if not ok then
        return nil, err
    end
    local res
    res, err = self:request(params)
    if not res then
        self:close()
        return nil, err
    end
    local content
    content, err = res:read_body()
    if not content then
        self:close()
        return nil, err
    end
    res.body = content

    if params.keepalive == false then
        ok, err = self:close()
    else
        ok, err = self:set_keepalive(params.keepalive_timeout, params.keepalive_pool)
    end
    if not ok then
        ngx.log(ngx.ERR, err)
    end
    return res
end


function _M.get_client_body_reader(_, chunksize, sock, headers)
    return body.of_client(chunksize, sock, headers)
end


-- Sends the client's request on as it is.
function _M.proxy_request(self, chunksize)
    return self:request {
        method = ngx.req.get_method(),
        path = ngx.re.gsub(ngx.var.uri, "\\s", "%20", "jo") .. ngx.var.is_args .. (ngx.var.query_string or ""),
        body = self:get_client_body_reader(chunksize),
        headers = ngx.req.get_headers(0, true),
    }
end


-- Answers the client with a response.
function _M.proxy_response(_, response, chunksize)
    if not response then
        ngx.log(ngx.ERR, "no response provided")
        return
    end
    ngx.status = response.status
    for name, value in pairs(response.headers) do
        if not HOP_BY_HOP[name:lower()] then
            ngx.header[name] = value
        end
    end
    local reader = response.body_reader
    while true do
        local piece, read_err = reader(chunksize)
        if read_err then
            ngx.log(ngx.ERR, read_err)
            return
        end
        if not piece then
            return
        end
        local ok, err = ngx.print(piece)
        if not ok then
            ngx.log(ngx.ERR, err)
            return
        end
    end
end


return _M
