local _M = {}

function _M.text()
    return "Greetings from a Lua module. Edit me, and see which location notices."
end

return _M
