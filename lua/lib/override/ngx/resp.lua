-- ngx.resp: add_header and set_status.
local type = type
local header = ngx.header

local _M = { version = "0.1.32" }

local function append(list, value)
    if type(value) == "table" then
        for i = 1, #value do
            list[#list + 1] = value[i]
        end
    elseif value ~= nil then
        list[#list + 1] = value
    end
end

function _M.add_header(key, value)
    local list = {}
    append(list, header[key])
    append(list, value)
    header[key] = #list == 1 and list[1] or list
end

function _M.set_status(status, reason)
    ngx.status = status
end

function _M.bypass_if_checks() end

return _M
