-- resty.shell: runs a command and collects what it prints, without blocking the worker.

local pipe = require "ngx.pipe"
local signal = require "resty.signal"

local concat = table.concat
local tostring = tostring

local _M = { version = 0.03 }

local OPTIONS = { buffer_size = 32 * 1024 }
local MAX_SIZE = 128 * 1024
-- How long a command that is told to terminate may take before it is killed.
local GRACE = 0.001


-- Ends a command that was given up, and says so if that fails, too.
local function give_up(proc, err)
    local pid = proc:pid()
    local ok, failure = signal.kill(pid, "TERM")
    if not ok then
        return tostring(err) .. "; failed to kill process " .. pid .. ": " .. tostring(failure)
    end
    ngx.sleep(GRACE)
    signal.kill(pid, "KILL")
    return tostring(err)
end


-- Reads a stream to its end, at most max bytes. chunks keeps what was read even if that takes too long.
local function collect(proc, method, chunks, max)
    local len = 0
    repeat
        local data, err, partial = proc[method](proc, max - len + 1)
        data = data or partial
        if data then
            chunks[#chunks + 1] = data
            len = len + #data
        end
        if err then
            return err ~= "closed" and err or nil
        end
    until len > max
    return "too much data"
end


-- ok, stdout, stderr, reason, status of a command: a string for the shell, or a table of arguments.
function _M.run(cmd, stdin, timeout, max_size)
    max_size = max_size or MAX_SIZE
    local proc, err = pipe.spawn(cmd, OPTIONS)
    if not proc then
        return nil, nil, nil, "failed to spawn: " .. tostring(err)
    end
    proc:set_timeouts(timeout, timeout, timeout, timeout)

    local ok
    if stdin and stdin ~= "" then
        ok, err = proc:write(stdin)
        if not ok then
            return nil, nil, nil, "failed to write to stdin: " .. give_up(proc, err)
        end
    end
    ok, err = proc:shutdown("stdin")
    if not ok then
        return nil, nil, nil, "failed to shutdown stdin: " .. give_up(proc, err)
    end

    local out, errs = {}, {}
    local out_thread = ngx.thread.spawn(collect, proc, "stdout_read_any", out, max_size)
    local err_thread = ngx.thread.spawn(collect, proc, "stderr_read_any", errs, max_size)

    local done, reason, status = proc:wait()
    if done == nil and reason ~= "exited" then
        err = "failed to wait for process: " .. give_up(proc, reason)
        return nil, concat(out), concat(errs), err
    end
    for _, stream in ipairs { { "stdout", out_thread }, { "stderr", err_thread } } do
        ok, err = ngx.thread.wait(stream[2])
        if not ok then
            return nil, concat(out), concat(errs), "failed to wait " .. stream[1] .. " thread: " .. tostring(err)
        elseif err then
            return nil, concat(out), concat(errs), "failed to read " .. stream[1] .. ": " .. err
        end
    end
    return done, concat(out), concat(errs), reason, status
end


return _M
