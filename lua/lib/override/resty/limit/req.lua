-- resty.limit.req: requests by a leaky bucket, as ngx_http_limit_req_module.
local shared = ngx.shared
local now = ngx.now
local abs = math.abs
local max = math.max
local floor = math.floor
local tonumber = tonumber
local match = string.match
local type = type
local setmetatable = setmetatable
local assert = assert

local _M = { _VERSION = "0.09" }
local mt = { __index = _M }

-- Rates and excess are kept in thousandths of a request.
function _M.new(dict_name, rate, burst)
    local dict = shared[dict_name]
    if not dict then
        return nil, "shared dict not found"
    end
    assert(rate > 0 and burst >= 0)
    return setmetatable({ dict = dict, rate = rate * 1000, burst = burst * 1000 }, mt)
end

-- The record of a key is "excess last", both whole numbers. What others stored under it is an error, not a failure.
local function unpack_record(record)
    local excess, last
    if type(record) == "string" then
        excess, last = match(record, "^(%d+) (%d+)$")
    end
    if not excess then
        return nil, "shdict abused by other users"
    end
    return tonumber(excess), tonumber(last)
end

function _M:incoming(key, commit)
    local dict, rate = self.dict, self.rate
    local msec = floor(now() * 1000)
    local excess = 0
    local record, err = dict:get(key)
    if err and not record then
        return nil, err
    end
    if record then
        local before, last = unpack_record(record)
        if not before then
            return nil, last
        end
        excess = max(before - rate * abs(msec - last) / 1000 + 1000, 0)
        if excess > self.burst then
            return nil, "rejected"
        end
    end
    if commit then
        dict:set(key, floor(excess) .. " " .. msec)
    end
    return excess / rate, excess / 1000
end

function _M:uncommit(key)
    assert(key)
    local record = self.dict:get(key)
    if not record then
        return nil, "not found"
    end
    local before, last = unpack_record(record)
    if not before then
        return nil, last
    end
    self.dict:set(key, max(before - 1000, 0) .. " " .. last)
    return true
end

function _M:set_rate(rate)
    self.rate = rate * 1000
end

function _M:set_burst(burst)
    self.burst = burst * 1000
end

return _M
