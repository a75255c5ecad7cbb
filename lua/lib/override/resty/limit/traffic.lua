-- resty.limit.traffic: several limits at once.
local max = math.max

local _M = { _VERSION = "0.09" }

-- The states and delays of the limiters before the last are those of their commitment: a round that the first look
-- ends leaves the states of the round before.
function _M.combine(limiters, keys, states)
    local n = #limiters
    local delay = 0
    for i = 1, n do
        local this, err = limiters[i]:incoming(keys[i], i == n)
        if not this then
            return nil, err
        end
        if i == n then
            if states then
                states[i] = err
            end
            delay = this
        end
    end
    for i = 1, n - 1 do
        local this, err = limiters[i]:incoming(keys[i], true)
        if not this then
            limiters[n]:uncommit(keys[n])
            for j = 1, i - 1 do
                limiters[j]:uncommit(keys[j])
            end
            return nil, err
        end
        if states then
            states[i] = err
        end
        delay = max(delay, this)
    end
    return delay
end

return _M
