-- resty.lock: a lock among the workers, in a shared dictionary.
local shared = ngx.shared
local sleep = ngx.sleep
local min = math.min
local tostring = tostring
local setmetatable = setmetatable

local _M = { _VERSION = "0.09" }
local mt = { __index = _M }

function _M.new(_, dict_name, opts)
    local dict = shared[dict_name]
    if not dict then
        return nil, "dictionary not found"
    end
    opts = opts or {}
    local exptime = opts.exptime or 30
    local timeout = opts.timeout
    if timeout then
        timeout = min(timeout, exptime)
    else
        timeout = min(5, exptime)
    end
    return setmetatable({
        dict = dict,
        exptime = exptime,
        timeout = timeout,
        step = opts.step or 0.001,
        ratio = opts.ratio or 2,
        max_step = opts.max_step or 0.5,
    }, mt)
end

function _M:lock(key)
    if not key then
        return nil, "nil key"
    end
    if self.key then
        return nil, "locked"
    end
    key = tostring(key)
    local dict, exptime = self.dict, self.exptime
    local ok, err = dict:add(key, true, exptime)
    if ok then
        self.key = key
        return 0
    end
    if err ~= "exists" then
        return nil, err
    end

    local step, elapsed = self.step, 0
    local left = self.timeout
    while left > 0 do
        step = min(step, left)
        sleep(step)
        elapsed = elapsed + step
        left = left - step
        ok, err = dict:add(key, true, exptime)
        if ok then
            self.key = key
            return elapsed
        end
        if err ~= "exists" then
            return nil, err
        end
        step = step * self.ratio
        if step <= 0 then
            step = 0.001
        end
        step = min(step, self.max_step)
    end
    return nil, "timeout"
end

function _M:unlock()
    local key = self.key
    if not key then
        return nil, "unlocked"
    end
    local ok, err = self.dict:delete(key)
    if not ok then
        return nil, err
    end
    self.key = nil
    return 1
end

function _M:expire(time)
    local key = self.key
    if not key then
        return nil, "unlocked"
    end
    local ok, err = self.dict:replace(key, true, time or self.exptime)
    if not ok then
        return nil, err
    end
    return true
end

return _M
