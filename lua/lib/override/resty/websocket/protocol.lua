-- resty.websocket.protocol: the frames of RFC 6455.
local bit = require "bit"
local band, bor, bxor, rshift = bit.band, bit.bor, bit.bxor, bit.rshift
local byte, char, sub = string.byte, string.char, string.sub
local concat = table.concat
local type = type
local tostring = tostring
local rand = math.random

local _M = { _VERSION = "0.12" }

local types = { [0] = "continuation", [1] = "text", [2] = "binary", [8] = "close", [9] = "ping", [10] = "pong" }

-- mask combines data with a key of four bytes, in groups so that no call gets
-- too many arguments.
local function mask(data, key)
    local k = { byte(key, 1, 4) }
    local parts, n = {}, 0
    for from = 1, #data, 64 do
        local b = { byte(data, from, from + 63) }
        for i = 1, #b do
            b[i] = bxor(b[i], k[(i - 1) % 4 + 1])
        end
        n = n + 1
        parts[n] = char(unpack(b))
    end
    return concat(parts)
end

local function read_length(sock, short)
    if short < 126 then
        return short
    end
    local data, err = sock:receive(short == 126 and 2 or 8)
    if not data then
        return nil, "failed to receive the " .. (short == 126 and "2" or "8") .. " byte payload length: " .. (err or "unknown")
    end
    if short == 126 then
        local a, b = byte(data, 1, 2)
        return a * 256 + b
    end
    local b1, b2, b3, b4, b5, b6, b7, b8 = byte(data, 1, 8)
    if b1 ~= 0 or b2 ~= 0 or b3 ~= 0 or b4 ~= 0 then
        return nil, "payload len too large"
    end
    if b5 >= 128 then
        return nil, "payload len too large"
    end
    return ((b5 * 256 + b6) * 256 + b7) * 256 + b8
end

local function close_reason(data)
    if #data == 0 then
        return "", "close", nil
    end
    if #data < 2 then
        return nil, nil, "close frame with a body must carry a 2-byte status code"
    end
    local a, b = byte(data, 1, 2)
    return sub(data, 3), "close", a * 256 + b
end

function _M.recv_frame(sock, max_payload_len, force_masking)
    local head, err = sock:receive(2)
    if not head then
        return nil, nil, "failed to receive the first 2 bytes: " .. (err or "unknown")
    end
    local first, second = byte(head, 1, 2)
    local fin = band(first, 0x80) ~= 0
    if band(first, 0x70) ~= 0 then
        return nil, nil, "bad RSV1, RSV2, or RSV3 bits"
    end
    local opcode = band(first, 0x0f)
    local typ = types[opcode]
    if not typ then
        return nil, nil, opcode < 8 and "reserved non-control frames" or "reserved control frames"
    end
    local masked = band(second, 0x80) ~= 0
    if force_masking and not masked then
        return nil, nil, "frame unmasked"
    end
    local short = band(second, 0x7f)
    if opcode >= 8 then
        if short > 125 then
            return nil, nil, "too long payload for control frame"
        end
        if not fin then
            return nil, nil, "fragmented control frame"
        end
    end
    local len
    len, err = read_length(sock, short)
    if not len then
        return nil, nil, err
    end
    if len > max_payload_len then
        return nil, nil, "exceeding max payload len"
    end
    local rest = len + (masked and 4 or 0)
    local data = ""
    if rest > 0 then
        data, err = sock:receive(rest)
        if not data then
            return nil, nil, "failed to read masking-len and payload: " .. (err or "unknown")
        end
    end
    if masked then
        data = mask(sub(data, 5), sub(data, 1, 4))
    end
    if opcode == 8 then
        return close_reason(data)
    end
    return data, typ, not fin and "again" or nil
end

local function build_frame(fin, opcode, len, payload, masking)
    local first = fin and bor(0x80, opcode) or opcode
    local head
    local bit8 = masking and 0x80 or 0
    if len <= 125 then
        head = char(first, bor(len, bit8))
    elseif len <= 65535 then
        head = char(first, bor(126, bit8), rshift(len, 8), band(len, 0xff))
    else
        head = char(first, bor(127, bit8), 0, 0, 0, 0, band(rshift(len, 24), 0xff), band(rshift(len, 16), 0xff),
            band(rshift(len, 8), 0xff), band(len, 0xff))
    end
    if not masking then
        return head .. payload
    end
    local key = char(rand(0, 255), rand(0, 255), rand(0, 255), rand(0, 255))
    return head .. key .. mask(payload, key)
end

_M.build_frame = build_frame

function _M.send_frame(sock, fin, opcode, payload, max_payload_len, masking)
    if not payload then
        payload = ""
    elseif type(payload) ~= "string" then
        payload = tostring(payload)
    end
    local len = #payload
    if len > max_payload_len then
        return nil, "payload too big"
    end
    if band(opcode, 0x8) ~= 0 then
        if len > 125 then
            return nil, "too much payload for control frame"
        end
        if not fin then
            return nil, "fragmented control frame"
        end
    end
    local bytes, err = sock:send(build_frame(fin, opcode, len, payload, masking))
    if not bytes then
        return nil, "failed to send frame: " .. err
    end
    return bytes
end

-- close_payload is the body of a close frame.
function _M.close_payload(code, msg)
    if not code then
        return ""
    end
    if type(code) ~= "number" or code > 0x7fff then
        return nil, "bad status code"
    end
    return char(band(rshift(code, 8), 0xff), band(code, 0xff)) .. (msg or "")
end

return _M
