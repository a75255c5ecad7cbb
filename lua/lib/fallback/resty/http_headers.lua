-- resty.http_headers: a table of header fields whose names match in any case, and with "_" for "-".

local lower, gsub = string.lower, string.gsub

local _M = { _VERSION = "0.17.2" }


local function plain(name)
    return (gsub(lower(name), "_", "-"))
end


-- An empty table of fields. pairs() sees the names as they were first written.
function _M.new()
    local names = {} -- as written, by plain name
    return setmetatable({}, {
        normalised = names,
        __index = function(t, name)
            local written = type(name) == "string" and names[plain(name)]
            return written and written ~= name and rawget(t, written) or nil
        end,
        __newindex = function(t, name, value)
            local key = type(name) == "string" and plain(name) or name
            local written = names[key]
            if not written then
                written = type(name) == "string" and gsub(name, "_", "-") or name
                names[key] = written
            end
            if value == nil then
                names[key] = nil
            end
            rawset(t, written, value)
        end,
    })
end


return _M
