-- resty.core.base: what libraries use of it that needs no FFI.
local new_tab = require "table.new"
local clear_tab = require "table.clear"

local get_phase = ngx.get_phase
local error = error
local select = select

local _M = {
    version = "0.1.32",
    new_tab = new_tab,
    clear_tab = clear_tab,
    FFI_OK = 0,
    FFI_ERROR = -1,
    FFI_AGAIN = -2,
    FFI_BUSY = -3,
    FFI_DONE = -4,
    FFI_DECLINED = -5,
    FFI_NO_REQ_CTX = -100,
    FFI_BAD_CONTEXT = -101,
}

local request = newproxy()

-- The request is opaque: there is nothing that takes it, but its absence says
-- that there is none. Timers and the like have one in OpenResty, a made-up one.
function _M.get_request()
    if get_phase() ~= "init" then
        return request
    end
end

function _M.set_string_buf_size(size)
    return size
end

function _M.get_string_buf_size()
    return 4096
end

function _M.allows_subsystem(...)
    local subsystem = ngx.config.subsystem
    for i = 1, select("#", ...) do
        if select(i, ...) == subsystem then
            return
        end
    end
    error("unsupported subsystem: " .. subsystem, 2)
end

function _M.check_subsystem(...)
    return _M.allows_subsystem(...)
end

-- References as luaL_ref makes them.
local free = 0

function _M.ref_in_table(tb, key)
    if key == nil then
        return -1
    end
    local ref = tb[free]
    if ref and ref ~= 0 then
        tb[free] = tb[ref]
    else
        ref = #tb + 1
    end
    tb[ref] = key
    return ref
end

return _M
