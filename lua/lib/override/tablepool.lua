-- tablepool: tables to be used again, by name.
local new_tab = require "table.new"
local clear_tab = require "table.clear"

local setmetatable = setmetatable

local max_pool_size = 200
local pools = {}

local _M = {}

function _M.fetch(name, narr, nrec)
    local pool = pools[name]
    local n = pool and #pool or 0
    if n == 0 then
        return new_tab(narr, nrec)
    end
    local t = pool[n]
    pool[n] = nil
    return t
end

function _M.release(name, t, noclear)
    if not t then
        error("object empty", 2)
    end
    local pool = pools[name]
    if not pool then
        pool = {}
        pools[name] = pool
    end
    if not noclear then
        setmetatable(t, nil)
        clear_tab(t)
    end
    local n = #pool
    if n < max_pool_size then
        pool[n + 1] = t
    end
end

return _M
