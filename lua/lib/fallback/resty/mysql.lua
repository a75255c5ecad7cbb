-- resty.mysql: a client of MySQL and MariaDB over cosockets (protocol 4.1 and later).
local bit = require "bit"
local sha256 = require "resty.sha256"
local tcp = ngx.socket.tcp
local sha1 = ngx.sha1_bin
local band, bor, bxor = bit.band, bit.bor, bit.bxor
local byte, char, sub, find, rep = string.byte, string.char, string.sub, string.find, string.rep
local concat = table.concat
local tonumber, setmetatable, type = tonumber, setmetatable, type

local _M = { _VERSION = "0.28" }
local mt = { __index = _M }

local COM_QUIT, COM_QUERY = 1, 3
local SERVER_MORE_RESULTS_EXISTS = 8
local CLIENT_SSL, CLIENT_PLUGIN_AUTH = 0x0800, 0x00080000
local FULL_PACKET_SIZE = 16777215

-- CLIENT_LONG_PASSWORD, _FOUND_ROWS off, _LONG_FLAG, _CONNECT_WITH_DB, _ODBC, _LOCAL_FILES off, _IGNORE_SPACE,
-- _PROTOCOL_41, _INTERACTIVE off, _TRANSACTIONS, _SECURE_CONNECTION, _MULTI_STATEMENTS, _MULTI_RESULTS.
local CAPABILITIES = 0x3f7cf

local charsets = {
    _default = 0, big5 = 1, latin2 = 9, latin1 = 8, ascii = 11, sjis = 13, gbk = 28, utf8 = 33, utf8mb4 = 45, binary = 63,
}

-- Types whose values become numbers.
local numeric = { [0x01] = true, [0x02] = true, [0x03] = true, [0x04] = true, [0x05] = true, [0x08] = true,
    [0x09] = true, [0x0d] = true, [0x00] = true, [0xf6] = true }

local function le(data, at, n)
    local value, factor = 0, 1
    for i = 0, n - 1 do
        value = value + byte(data, at + i) * factor
        factor = factor * 256
    end
    return value, at + n
end

local function to_le(value, n)
    local b = {}
    for i = 1, n do
        b[i] = char(value % 256)
        value = (value - value % 256) / 256
    end
    return concat(b)
end

-- A length-encoded integer; nil stands for NULL.
local function lenenc(data, at)
    local first = byte(data, at)
    if not first then
        return nil, at
    end
    if first <= 250 then
        return first, at + 1
    elseif first == 251 then
        return nil, at + 1
    elseif first == 252 then
        return le(data, at + 1, 2)
    elseif first == 253 then
        return le(data, at + 1, 3)
    end
    return le(data, at + 1, 8)
end

local function lenenc_string(data, at)
    local len
    len, at = lenenc(data, at)
    if not len then
        return nil, at
    end
    return sub(data, at, at + len - 1), at + len
end

local function cstring(data, at)
    local zero = find(data, "\0", at, true)
    if not zero then
        return nil, nil
    end
    return sub(data, at, zero - 1), zero + 1
end

local function xor_strings(a, b)
    local out = {}
    for i = 1, #a do
        out[i] = char(bxor(byte(a, i), byte(b, i)))
    end
    return concat(out)
end

local function digest256(...)
    local h = sha256:new()
    for i = 1, select("#", ...) do
        h:update((select(i, ...)))
    end
    return h:final()
end

local function scramble(plugin, password, salt)
    if password == "" then
        return ""
    end
    salt = sub(salt, 1, 20)
    if plugin == "caching_sha2_password" then
        local stage = digest256(password)
        return xor_strings(stage, digest256(digest256(stage), salt))
    elseif plugin == "mysql_clear_password" then
        return password .. "\0"
    end
    local stage = sha1(password)
    return xor_strings(sha1(salt .. sha1(stage)), stage)
end

local function send_packet(self, payload)
    self.packet_no = self.packet_no + 1
    return self.sock:send({ to_le(#payload, 3), char(band(self.packet_no, 255)), payload })
end

local function recv_packet(self)
    local sock = self.sock
    local parts, n, total = {}, 0, 0
    while true do
        local head, err = sock:receive(4)
        if not head then
            return nil, nil, "failed to receive packet header: " .. err
        end
        local len = le(head, 1, 3)
        if total + len > self.max_packet_size then
            return nil, nil, "packet size too big: " .. (total + len)
        end
        self.packet_no = byte(head, 4)
        local data = ""
        if len > 0 then
            data, err = sock:receive(len)
            if not data then
                return nil, nil, "failed to read packet content: " .. err
            end
        end
        n, total = n + 1, total + len
        parts[n] = data
        if len < FULL_PACKET_SIZE then
            break
        end
    end
    local data = n == 1 and parts[1] or concat(parts)
    local first = byte(data)
    local typ = "DATA"
    if first == 0 then
        typ = "OK"
    elseif first == 255 then
        typ = "ERR"
    elseif first == 254 and #data < 9 then
        typ = "EOF"
    end
    return data, typ
end

local function parse_ok(data)
    local res, at = {}, 2
    res.affected_rows, at = lenenc(data, at)
    res.insert_id, at = lenenc(data, at)
    if #data >= at + 3 then
        res.server_status, at = le(data, at, 2)
        res.warning_count, at = le(data, at, 2)
    end
    res.message = lenenc_string(data, at)
    return res
end

local function parse_err(data)
    local code, at = le(data, 2, 2)
    local state
    if sub(data, at, at) == "#" then
        state = sub(data, at + 1, at + 5)
        at = at + 6
    end
    return code, sub(data, at), state
end

function _M.new(_)
    local sock, err = tcp()
    if not sock then
        return nil, err
    end
    return setmetatable({ sock = sock }, mt)
end

require "resty.socket_methods"(_M, "sock", { set_timeout = "settimeout", get_reused_times = "getreusedtimes" })

-- greeting reads the server's first packet.
local function greeting(self)
    local data, typ, err = recv_packet(self)
    if not data then
        return nil, err
    end
    if typ == "ERR" then
        local code, msg, state = parse_err(data)
        return nil, msg, code, state
    end
    self.protocol_ver = byte(data)
    local at
    self._server_ver, at = cstring(data, 2)
    if not at then
        return nil, "bad handshake initialization packet: bad server version"
    end
    at = at + 4 -- the thread
    local salt = sub(data, at, at + 7)
    at = at + 9
    local low, high
    low, at = le(data, at, 2)
    self._server_lang = byte(data, at)
    self._server_status, at = le(data, at + 1, 2)
    high, at = le(data, at, 2)
    local capabilities = low + high * 65536
    local salt_len = byte(data, at)
    at = at + 11
    local rest = math.max(13, salt_len - 8)
    salt = salt .. sub(data, at, at + rest - 2)
    at = at + rest
    local plugin = "mysql_native_password"
    if band(capabilities, CLIENT_PLUGIN_AUTH) ~= 0 then
        plugin = cstring(data, at) or sub(data, at)
    end
    return salt, nil, capabilities, plugin
end

local function start_tls(self, opts, capabilities, flags, charset)
    if band(capabilities, CLIENT_SSL) == 0 then
        return nil, "ssl disabled on server"
    end
    local ok, err = send_packet(self, to_le(bor(flags, CLIENT_SSL), 4) .. to_le(self.max_packet_size, 4)
        .. char(charset) .. rep("\0", 23))
    if not ok then
        return nil, "failed to send client authentication packet: " .. err
    end
    ok, err = self.sock:sslhandshake(false, opts.server_name, opts.ssl_verify)
    if not ok then
        return nil, "failed to do ssl handshake: " .. (err or "")
    end
    return true
end

-- finish answers what the server asks until it says that the client is who it
-- says.
local function finish(self, opts, plugin, salt)
    local password = opts.password or ""
    while true do
        local data, typ, err = recv_packet(self)
        if not data then
            return nil, "failed to receive the result packet: " .. err
        end
        if typ == "ERR" then
            local code, msg, state = parse_err(data)
            return nil, msg, code, state
        elseif typ == "OK" then
            return true
        elseif byte(data) == 254 then
            if #data == 1 then
                return nil, "old pre-4.1 authentication protocol not supported"
            end
            local at
            plugin, at = cstring(data, 2)
            salt = sub(data, at)
            if plugin == "mysql_clear_password" and not opts.ssl then
                return nil, "mysql_clear_password needs ssl"
            end
            local ok
            ok, err = send_packet(self, scramble(plugin, password, salt))
            if not ok then
                return nil, err
            end
        elseif byte(data) == 1 and byte(data, 2) == 4 then
            if not opts.ssl then
                return nil, "the caching_sha2_password plugin needs ssl for full authentication"
            end
            local ok
            ok, err = send_packet(self, password .. "\0")
            if not ok then
                return nil, err
            end
        elseif byte(data) ~= 1 then
            return nil, "bad packet type: " .. typ
        end
    end
end

local function authenticate(self, opts)
    local salt, err, capabilities, plugin = greeting(self)
    if not salt then
        return nil, err, capabilities, plugin
    end
    local charset = charsets[opts.charset or "_default"]
    if not charset then
        return nil, "charset '" .. opts.charset .. "' is not supported"
    end
    local flags = bor(CAPABILITIES, band(capabilities, CLIENT_PLUGIN_AUTH))
    if opts.ssl then
        local ok
        ok, err = start_tls(self, opts, capabilities, flags, charset)
        if not ok then
            return nil, err
        end
        flags = bor(flags, CLIENT_SSL)
    end
    local token = scramble(plugin, opts.password or "", salt)
    local ok
    ok, err = send_packet(self, concat {
        to_le(flags, 4), to_le(self.max_packet_size, 4), char(charset), rep("\0", 23),
        opts.user or "", "\0", char(#token), token, opts.database or "", "\0", plugin, "\0",
    })
    if not ok then
        return nil, "failed to send client authentication packet: " .. err
    end
    return finish(self, opts, plugin, salt)
end

function _M:connect(opts)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    self.max_packet_size = opts.max_packet_size or 1024 * 1024
    self.compact = opts.compact_arrays
    local pool = opts.pool
    local host, port = opts.host, opts.port or 3306
    if not pool then
        pool = (opts.user or "") .. ":" .. (opts.database or "") .. ":" .. (host and host .. ":" .. port or opts.path or "")
    end
    local sock_opts = { pool = pool, pool_size = opts.pool_size, backlog = opts.backlog }
    local ok, err
    if host then
        ok, err = sock:connect(host, port, sock_opts)
    elseif opts.path then
        ok, err = sock:connect("unix:" .. opts.path, sock_opts)
    else
        return nil, "neither \"host\" nor \"path\" options are specified"
    end
    if not ok then
        return nil, "failed to connect: " .. err
    end
    self.packet_no = -1
    if sock:getreusedtimes() > 0 then
        self.state = "connected"
        return 1
    end
    local code, state
    ok, err, code, state = authenticate(self, opts)
    if not ok then
        return nil, err, code, state
    end
    self.state = "connected"
    return 1
end

function _M:set_keepalive(...)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    if self.state ~= "connected" then
        return nil, "cannot be reused in the current connection state: " .. (self.state or "nil")
    end
    self.state = nil
    return sock:setkeepalive(...)
end

function _M:close()
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    self.state = nil
    self.packet_no = -1
    local ok, err = send_packet(self, char(COM_QUIT))
    if not ok then
        return nil, err
    end
    return sock:close()
end

function _M:server_ver()
    return self._server_ver
end

function _M:set_compact_arrays(value)
    self.compact = value
end

function _M:send_query(query)
    if self.state ~= "connected" then
        return nil, "cannot send query in the current context: " .. (self.state or "nil")
    end
    if not self.sock then
        return nil, "not initialized"
    end
    if type(query) == "table" then
        query = concat(query)
    end
    self.packet_no = -1
    local bytes, err = send_packet(self, char(COM_QUERY) .. query)
    if not bytes then
        return nil, err
    end
    self.state = "query sent"
    return bytes
end

local function read_column(self)
    local data, typ, err = recv_packet(self)
    if not data then
        return nil, err
    end
    if typ == "ERR" then
        local code, msg, state = parse_err(data)
        return nil, msg, code, state
    end
    local at, col, _ = 1, {}
    for _ = 1, 4 do -- catalog, database, table, original table
        _, at = lenenc_string(data, at)
    end
    col.name, at = lenenc_string(data, at)
    _, at = lenenc_string(data, at)
    col.type = byte(data, at + 7)
    return col
end

local function read_row(data, cols, compact)
    local row, at = {}, 1
    for i = 1, #cols do
        local value
        value, at = lenenc_string(data, at)
        local col = cols[i]
        if value == nil then
            value = ngx.null
        elseif numeric[col.type] then
            value = tonumber(value)
        end
        row[compact and i or col.name] = value
    end
    return row
end

-- more tells by the status whether another result follows.
local function more(self, status)
    if band(status or 0, SERVER_MORE_RESULTS_EXISTS) ~= 0 then
        return "again"
    end
    self.state = "connected"
end

function _M:read_result(nrows)
    if self.state ~= "query sent" then
        return nil, "cannot read result in the current context: " .. (self.state or "nil")
    end
    if not self.sock then
        return nil, "not initialized"
    end
    local data, typ, err = recv_packet(self)
    if not data then
        return nil, err
    end
    if typ == "ERR" then
        self.state = "connected"
        local code, msg, state = parse_err(data)
        return nil, msg, code, state
    elseif typ == "OK" then
        local res = parse_ok(data)
        return res, more(self, res.server_status)
    elseif typ ~= "DATA" then
        self.state = "connected"
        return nil, "packet type " .. typ .. " not supported"
    end

    local count = lenenc(data, 1)
    local cols = {}
    for i = 1, count or 0 do
        local col, code, state
        col, err, code, state = read_column(self)
        if not col then
            return nil, err, code, state
        end
        cols[i] = col
    end
    data, typ, err = recv_packet(self)
    if not data then
        return nil, err
    end
    if typ ~= "EOF" then
        return nil, "unexpected packet type " .. typ .. " while eof packet is expected"
    end
    local rows, n = {}, 0
    if nrows then
        rows = require "table.new"(nrows, 0)
    end
    while true do
        data, typ, err = recv_packet(self)
        if not data then
            return nil, err
        end
        if typ == "EOF" then
            return rows, more(self, le(data, 4, 2))
        elseif typ == "ERR" then
            self.state = "connected"
            local code, msg, state = parse_err(data)
            return nil, msg, code, state
        end
        n = n + 1
        rows[n] = read_row(data, cols, self.compact)
    end
end

function _M:query(query, nrows)
    local bytes, err = self:send_query(query)
    if not bytes then
        return nil, "failed to send query: " .. err
    end
    return self:read_result(nrows)
end

return _M
