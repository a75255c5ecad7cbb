-- resty.dns.resolver: asks name servers over cosockets (RFC 1035).
local bit = require "bit"
local band, rshift = bit.band, bit.rshift
local byte, char, sub, find, match, gsub, format = string.byte, string.char, string.sub, string.find, string.match, string.gsub, string.format
local concat, insert = table.concat, table.insert
local rand = math.random
local type, setmetatable, tonumber, ipairs = type, setmetatable, tonumber, ipairs

local _M = {
    _VERSION = "0.23",
    TYPE_A = 1, TYPE_NS = 2, TYPE_CNAME = 5, TYPE_SOA = 6, TYPE_PTR = 12, TYPE_MX = 15, TYPE_TXT = 16, TYPE_AAAA = 28,
    TYPE_SRV = 33, TYPE_SPF = 99, CLASS_IN = 1, SECTION_AN = 1, SECTION_NS = 2, SECTION_AR = 3,
}
local mt = { __index = _M }

local TYPE_A, TYPE_NS, TYPE_CNAME, TYPE_SOA, TYPE_PTR, TYPE_MX, TYPE_TXT, TYPE_AAAA, TYPE_SRV, TYPE_SPF =
    1, 2, 5, 6, 12, 15, 16, 28, 33, 99

local errors = { "format error", "server failure", "name error", "not implemented", "refused" }
local soa_fields = { "serial", "refresh", "retry", "expire", "minimum" }

-- The longest chain of compression pointers followed.
local max_jumps = 64
local max_udp = 4096

local function u16(n)
    return char(band(rshift(n, 8), 0xff), band(n, 0xff))
end

local function get16(data, at)
    local a, b = byte(data, at, at + 1)
    if not b then
        return nil, "truncated"
    end
    return a * 256 + b
end

local function get32(data, at)
    local a, b, c, d = byte(data, at, at + 3)
    if not d then
        return nil, "truncated"
    end
    return ((a * 256 + b) * 256 + c) * 256 + d
end

local function encode_name(name)
    local labels, n = {}, 0
    for label in name:gmatch("[^.]+") do
        if #label > 63 then
            return nil, "too long name"
        end
        n = n + 1
        labels[n] = char(#label) .. label
    end
    local wire = concat(labels) .. "\0"
    if #wire > 255 then
        return nil, "too long name"
    end
    return wire
end

local function build_request(name, id, no_recurse, qtype)
    if sub(name, 1, 1) == "." then
        return nil, "bad name"
    end
    local wire, err = encode_name(name)
    if not wire then
        return nil, err
    end
    return u16(id) .. (no_recurse and "\0\0" or "\1\0") .. "\0\1\0\0\0\0\0\0" .. wire .. u16(qtype) .. "\0\1"
end

-- decode_name returns a name and the place behind it.
local function decode_name(data, at)
    local labels, n, jumps = {}, 0, 0
    local behind
    while true do
        local len = byte(data, at)
        if not len then
            return nil, "truncated"
        end
        if len == 0 then
            return concat(labels, "."), behind or at + 1
        elseif len >= 0xc0 then
            local low = byte(data, at + 1)
            jumps = jumps + 1
            if not low or jumps > max_jumps then
                return nil, "bad compression pointer"
            end
            behind = behind or at + 2
            at = (len - 0xc0) * 256 + low + 1
        elseif len >= 0x40 then
            return nil, "bad label"
        else
            local label = sub(data, at + 1, at + len)
            if #label < len then
                return nil, "truncated"
            end
            n = n + 1
            labels[n] = label
            at = at + len + 1
        end
    end
end

local decoders = {
    [TYPE_A] = function(ans, data, at, len)
        if len ~= 4 then
            return "bad A record value length: " .. len
        end
        ans.address = concat({ byte(data, at, at + 3) }, ".")
    end,
    [TYPE_AAAA] = function(ans, data, at, len)
        if len ~= 16 then
            return "bad AAAA record value length: " .. len
        end
        local groups = {}
        for i = 1, 8 do
            groups[i] = format("%x", get16(data, at + 2 * (i - 1)))
        end
        ans.address = concat(groups, ":")
    end,
    [TYPE_MX] = function(ans, data, at)
        ans.preference = get16(data, at)
        local err
        ans.exchange, err = decode_name(data, at + 2)
        return not ans.exchange and err or nil
    end,
    [TYPE_SRV] = function(ans, data, at, len)
        if len < 7 then
            return "bad SRV record value length: " .. len
        end
        ans.priority, ans.weight, ans.port = get16(data, at), get16(data, at + 2), get16(data, at + 4)
        local err
        ans.target, err = decode_name(data, at + 6)
        return not ans.target and err or nil
    end,
    [TYPE_TXT] = function(ans, data, at, len)
        local parts, n, last = {}, 0, at + len
        while at < last do
            local size = byte(data, at)
            n = n + 1
            parts[n] = sub(data, at + 1, math.min(at + size, last - 1))
            at = at + size + 1
        end
        ans.txt = n == 1 and parts[1] or n > 1 and parts or ""
    end,
    [TYPE_SOA] = function(ans, data, at)
        local err
        ans.mname, at = decode_name(data, at)
        if not ans.mname then
            return at
        end
        ans.rname, at = decode_name(data, at)
        if not ans.rname then
            return at
        end
        for _, field in ipairs(soa_fields) do
            ans[field], err = get32(data, at)
            if not ans[field] then
                return err
            end
            at = at + 4
        end
    end,
}

local function name_field(field)
    return function(ans, data, at)
        local name, err = decode_name(data, at)
        ans[field] = name
        return not name and err or nil
    end
end

decoders[TYPE_NS] = name_field("nsdname")
decoders[TYPE_CNAME] = name_field("cname")
decoders[TYPE_PTR] = name_field("ptrdname")
decoders[TYPE_SPF] = function(ans, data, at, len)
    local err = decoders[TYPE_TXT](ans, data, at, len)
    ans.spf, ans.txt = ans.txt, nil
    return err
end

local function parse_section(answers, section, data, at, count, keep)
    for _ = 1, count do
        local name, behind = decode_name(data, at)
        if not name then
            return nil, behind
        end
        at = behind
        local typ, class, ttl, len = get16(data, at), get16(data, at + 2), get32(data, at + 4), get16(data, at + 8)
        if not len or #data < at + 9 + len then
            return nil, "truncated"
        end
        at = at + 10
        if keep then
            local ans = { name = name, type = typ, class = class, ttl = ttl, section = section }
            local decode = decoders[typ]
            if decode then
                local err = decode(ans, data, at, len)
                if err then
                    return nil, err
                end
            else
                ans.rdata = sub(data, at, at + len - 1)
            end
            insert(answers, ans)
        end
        at = at + len
    end
    return at
end

local function parse_response(data, id, opts)
    if #data < 12 then
        return nil, "truncated"
    end
    local got = get16(data, 1)
    if got ~= id then
        return nil, "id mismatch", got
    end
    local flags = get16(data, 3)
    if band(flags, 0x8000) == 0 then
        return nil, "bad QR flag in the DNS response"
    end
    if band(flags, 0x0200) ~= 0 then
        return nil, "truncated"
    end
    local answers = {}
    local code = band(flags, 0xf)
    if code ~= 0 then
        answers.errcode, answers.errstr = code, errors[code] or "unknown"
    end
    local questions = get16(data, 5)
    local at = 13
    for _ = 1, questions do
        local name, behind = decode_name(data, at)
        if not name then
            return nil, behind
        end
        at = behind + 4
    end
    local err
    at, err = parse_section(answers, 1, data, at, get16(data, 7), true)
    if at and (opts.authority_section or opts.additional_section) then
        at, err = parse_section(answers, 2, data, at, get16(data, 9), opts.authority_section)
    end
    if at and opts.additional_section then
        at, err = parse_section(answers, 3, data, at, get16(data, 11), true)
    end
    if not at then
        return nil, err
    end
    return answers
end

function _M.new(_, opts)
    if not opts then
        return nil, "no options table specified"
    end
    local servers = opts.nameservers
    if not servers or #servers == 0 then
        return nil, "no nameservers specified"
    end
    local timeout = opts.timeout or 2000
    local socks = {}
    for i, server in ipairs(servers) do
        local sock, err = ngx.socket.udp()
        if not sock then
            return nil, "failed to create udp socket: " .. err
        end
        local host, port = server, 53
        if type(server) == "table" then
            host, port = server[1], server[2] or 53
        end
        local ok
        ok, err = sock:setpeername(host, port)
        if not ok then
            return nil, "failed to set peer name: " .. err
        end
        sock:settimeout(timeout)
        socks[i] = { sock, host, port }
    end
    return setmetatable({
        socks = socks,
        cur = opts.no_random and 1 or rand(1, #socks),
        retrans = opts.retrans or 5,
        timeout = timeout,
        no_recurse = opts.no_recurse,
    }, mt)
end

local function pick(self)
    local server = self.socks[self.cur]
    self.cur = self.cur % #self.socks + 1
    return server
end

local function tcp_query(self, query, id, opts, server)
    local sock, err = ngx.socket.tcp()
    if not sock then
        return nil, "failed to create tcp socket: " .. err
    end
    sock:settimeout(self.timeout)
    local ok
    ok, err = sock:connect(server[2], server[3])
    if not ok then
        return nil, "failed to connect to TCP server " .. server[2] .. ":" .. server[3] .. ": " .. err
    end
    ok, err = sock:send { u16(#query), query }
    if not ok then
        return nil, "failed to send query to TCP server: " .. err
    end
    local head, data
    head, err = sock:receive(2)
    if not head then
        return nil, "failed to receive the reply length field from TCP server: " .. err
    end
    data, err = sock:receive(get16(head, 1))
    if not data then
        return nil, "failed to receive the reply message body from TCP server: " .. err
    end
    sock:close()
    return parse_response(data, id, opts)
end

-- ask sends a query once over UDP, and over TCP when the answer is too long.
local function ask(self, query, id, opts)
    local server = pick(self)
    local sock = server[1]
    local ok, err = sock:send(query)
    if not ok then
        return nil, "failed to send request to UDP server " .. server[2] .. ":" .. server[3] .. ": " .. err
    end
    for _ = 1, 128 do
        local data
        data, err = sock:receive(max_udp)
        if not data then
            return nil, "failed to receive reply from UDP server " .. server[2] .. ":" .. server[3] .. ": " .. err
        end
        local answers
        answers, err = parse_response(data, id, opts)
        if answers then
            return answers
        elseif err == "truncated" then
            return tcp_query(self, query, id, opts, server)
        elseif err ~= "id mismatch" then
            return nil, err
        end
    end
    return nil, err
end

function _M:query(name, opts, tries)
    opts = opts or {}
    local id = rand(0, 65535)
    local query, err = build_request(name, id, self.no_recurse, opts.qtype or TYPE_A)
    if not query then
        return nil, err
    end
    for i = 1, self.retrans do
        local answers
        answers, err = ask(self, query, id, opts)
        if answers then
            return answers, nil, tries
        end
        if tries then
            tries[i] = err
        end
    end
    return nil, err, tries
end

function _M:tcp_query(name, opts)
    opts = opts or {}
    local id = rand(0, 65535)
    local query, err = build_request(name, id, self.no_recurse, opts.qtype or TYPE_A)
    if not query then
        return nil, err
    end
    return tcp_query(self, query, id, opts, pick(self))
end

function _M:set_timeout(timeout)
    self.timeout = timeout
    for _, server in ipairs(self.socks) do
        server[1]:settimeout(timeout)
    end
end

-- compress_ipv6_addr replaces the longest run of zero groups by two colons.
function _M.compress_ipv6_addr(addr)
    for groups = 8, 2, -1 do
        local run = sub((":0"):rep(groups), 2)
        local at = find(":" .. addr .. ":", ":" .. run .. ":", 1, true)
        if at then
            local before = gsub(sub(addr, 1, at - 1), ":$", "")
            local after = gsub(sub(addr, at + #run), "^:", "")
            return before .. "::" .. after
        end
    end
    return addr
end

-- expand_ipv6_addr is the other way round.
function _M.expand_ipv6_addr(addr)
    local at = find(addr, "::", 1, true)
    if not at then
        return addr
    end
    local before, after = sub(addr, 1, at - 1), sub(addr, at + 2)
    local _, colons = gsub(addr, ":", "")
    local groups = 8 - colons + (before == "" and 1 or 0) + (after == "" and 1 or 0)
    local zeros = {}
    for i = 1, groups do
        zeros[i] = "0"
    end
    local all = concat(zeros, ":")
    if before ~= "" then
        all = before .. ":" .. all
    end
    return after ~= "" and all .. ":" .. after or all
end

function _M.arpa_str(addr)
    if not find(addr, ":", 1, true) then
        local a, b, c, d = match(addr, "^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
        return a and concat({ d, c, b, a }, ".") .. ".in-addr.arpa" or nil
    end
    local nibbles, n = {}, 0
    for group in _M.expand_ipv6_addr(addr):gmatch("%x+") do
        for nibble in format("%04x", tonumber(group, 16)):gmatch(".") do
            n = n + 1
            nibbles[n] = nibble
        end
    end
    local reversed = {}
    for i = n, 1, -1 do
        reversed[n - i + 1] = nibbles[i]
    end
    return concat(reversed, ".") .. ".ip6.arpa"
end

function _M:reverse_query(addr)
    return self:query(self.arpa_str(addr), { qtype = TYPE_PTR })
end

return _M
