-- ngx.re: split and opt, over ngx.re.find and ngx.re.match.
local find = ngx.re.find
local sub = string.sub
local type = type
local error = error
local tostring = tostring
local new_tab = require "table.new"

local _M = { version = "0.1.32" }

-- The next separator from at on: where it begins and ends, its first capture
-- if it has one, and where to look for the one after it.
local function separator(subj, regex, opts, at)
    local ctx = { pos = at }
    local from, to, err = find(subj, regex, opts, ctx)
    if err then
        return nil, nil, nil, nil, err
    end
    if not from then
        return
    end
    local cap_from, cap_to = find(subj, regex, opts, { pos = at }, 1)
    local capture = cap_from and cap_from > 0 and sub(subj, cap_from, cap_to) or nil
    if to < from then
        return from, from, capture, from + 1
    end
    return from, to + 1, capture, to + 1
end

function _M.split(subj, regex, opts, ctx, max, res)
    subj = tostring(subj)
    ctx = ctx or {}
    ctx.pos = ctx.pos or 1
    max = max or 0
    if res and type(res) ~= "table" then
        error("res is not a table", 2)
    end
    res = res or new_tab(4, 0)

    local len = #subj
    if ctx.pos > len then
        res[1] = nil
        return res
    end

    local start, n, count = ctx.pos, 0, 1
    local at = ctx.pos
    local empty -- where the last empty separator was
    while max <= 0 or count < max do
        local from, behind, capture, next_at, err = separator(subj, regex, opts, at)
        if err then
            return nil, err
        end
        if not from then
            break
        end
        at = next_at
        ctx.pos = at
        if empty then
            start = empty
        end
        if from == behind then
            empty = from
        end
        if from > start or not empty then
            count = count + 1
            n = n + 1
            res[n] = sub(subj, start, from - 1)
            if capture then
                n = n + 1
                res[n] = capture
            end
            start = behind
            if start > len then
                break
            end
        end
        if at > len + 1 then
            break
        end
    end

    if max <= 0 and start > len then
        while n > 0 and res[n] == "" do
            res[n] = nil
            n = n - 1
        end
    else
        n = n + 1
        res[n] = sub(subj, start)
    end
    res[n + 1] = nil
    return res
end

-- There is no JIT whose stack could be too small.
function _M.opt(option, value)
    if option ~= "jit_stack_size" then
        error("unrecognized option name", 2)
    end
end

return _M
