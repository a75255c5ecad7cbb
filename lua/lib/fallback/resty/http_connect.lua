-- resty.http_connect: how resty.http gets a connection: through a proxy or not, with TLS or not, from a pool that holds
-- only connections made in the same way.

local tostring = tostring
local concat = table.concat

local PORTS = { http = 80, https = 443 }


-- Asks a proxy for a tunnel.
local function tunnel(self, host, port, authorization)
    local res, err = self:request {
        method = "CONNECT", path = host .. ":" .. port,
        headers = { ["Host"] = host .. ":" .. port, ["Proxy-Authorization"] = authorization },
    }
    if not res then
        return nil, "failed to issue CONNECT to proxy: " .. tostring(err)
    end
    if res.status < 200 or res.status > 299 then
        return nil, "failed to establish a tunnel through a proxy: " .. res.status
    end
    return true
end


-- What distinguishes the connections of one pool from others.
local function pool_name(o, proxy, authorization, server_name)
    local parts = { o.scheme or "", o.host, tostring(o.port or "") }
    if o.scheme == "https" then
        parts[#parts + 1] = tostring(o.ssl_verify ~= false) .. ":" .. tostring(server_name)
        if o.ssl_client_cert then
            parts[#parts + 1] = tostring(o.ssl_client_cert)
        end
    end
    if proxy then
        parts[#parts + 1] = proxy .. ":" .. tostring(authorization or "")
    end
    return concat(parts, ":")
end


local function handshake(self, o, server_name)
    local sock = self.sock
    if o.ssl_client_cert then
        local ok, err = sock:setclientcert(o.ssl_client_cert, o.ssl_client_priv_key)
        if not ok then
            return nil, "could not set client certificate: " .. tostring(err)
        end
    end
    local session, err = sock:sslhandshake(o.ssl_reused_session, server_name, o.ssl_verify ~= false, o.ssl_send_status_req)
    if not session then
        self:close()
        return nil, err
    end
    return true, nil, session
end


-- Connects with a table of options: true, nil and the TLS session.
return function(self, o)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    local host, scheme, port = o.host, o.scheme, o.port
    if type(host) ~= "string" then
        return nil, "bad host: " .. tostring(host)
    end
    if scheme == nil then
        -- A path, or "unix:path".
        if host:sub(1, 1) == "/" then
            host = "unix:" .. host
        end
    elseif not PORTS[scheme] then
        return nil, "scheme must be 'http' or 'https'"
    else
        port = tonumber(port) or PORTS[scheme]
    end
    o = setmetatable({ host = host, port = port }, { __index = o })

    local opts = o.proxy_opts or self.proxy_opts
    local proxy, authorization
    if opts and scheme then
        proxy = self:get_proxy_uri(scheme, host, opts)
        authorization = scheme == "https" and opts.https_proxy_authorization or opts.http_proxy_authorization
    end
    local server_name = o.ssl_server_name or host
    local pool = o.pool or pool_name(o, proxy, authorization, server_name)
    if o.pool_debug then
        ngx.log(ngx.DEBUG, "poolname: ", pool)
    end
    local pool_opts = { pool = pool, pool_size = o.pool_size, backlog = o.backlog }

    local ok, err
    self.host, self.port, self.keepalive, self.ssl = host, port, true, scheme == "https"
    self.http_proxy_auth, self.path_prefix = nil, nil
    if proxy then
        local parsed
        parsed, err = self:parse_uri(proxy, false)
        if not parsed then
            return nil, "could not parse proxy uri: " .. tostring(err)
        end
        ok, err = sock:connect(parsed[2], parsed[3], pool_opts)
        if ok and scheme == "http" then
            self.http_proxy_auth = authorization
            self.path_prefix = "http://" .. host .. (port == 80 and "" or ":" .. port)
        elseif ok and sock:getreusedtimes() == 0 then
            ok, err = tunnel(self, host, port, authorization)
        end
    elseif port then
        ok, err = sock:connect(host, port, pool_opts)
    else
        ok, err = sock:connect(host, pool_opts)
    end
    if not ok then
        return nil, err
    end
    if self.ssl and sock:getreusedtimes() == 0 then
        return handshake(self, o, server_name)
    end
    return true
end
