-- ngx.req: add_header.
local get_headers = ngx.req.get_headers
local set_header = ngx.req.set_header
local type = type

local _M = { version = "0.1.32" }

local function append(list, value)
    if type(value) == "table" then
        for i = 1, #value do
            list[#list + 1] = value[i]
        end
    elseif value ~= nil then -- as what the request has of it may be
        list[#list + 1] = value
    end
end

function _M.add_header(key, value)
    if key == nil then
        error("bad 'name' argument: string expected, got nil", 2)
    elseif value == nil then
        error("bad 'value' argument: string or table expected, got nil", 2)
    elseif type(value) == "table" and #value == 0 then
        error("bad 'value' argument: non-empty table expected", 2)
    end
    local list = {}
    append(list, get_headers(0)[key])
    append(list, value)
    set_header(key, list)
end

return _M
