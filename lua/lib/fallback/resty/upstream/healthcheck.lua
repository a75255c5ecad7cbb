-- resty.upstream.healthcheck: asks the servers of an upstream block in the
-- background and takes those that do not answer well out of service.
--
-- All workers run the checkers; a lock in the shared dictionary lets one of
-- them check in each interval. Results are counted in the dictionary. When a
-- peer changes sides, the version there is raised, and the other workers take
-- over what they find.
local upstream = require "ngx.upstream"

local ngx = ngx
local log = ngx.log
local tcp = ngx.socket.tcp
local new_timer = ngx.timer.at
local spawn = ngx.thread.spawn
local wait = ngx.thread.wait
local re_match = ngx.re.match
local concat = table.concat
local min = math.min
local max = math.max
local ipairs = ipairs
local pcall = pcall
local tonumber = tonumber
local tostring = tostring
local setmetatable = setmetatable

local _M = { _VERSION = "0.08" }

-- How many checkers each upstream has in this worker.
local checkers = {}

local function errlog(...)
    log(ngx.ERR, "healthcheck: ", ...)
end

local Checker = {}
Checker.__index = Checker

-- The key of something about a peer in the dictionary.
function Checker:key(what, peer)
    return what .. ":" .. self.upstream .. ":" .. (peer.backup and "b" or "p") .. peer.id
end

-- Logs why an operation of the dictionary or of ngx.upstream failed.
local function expect(ok, err, what)
    if not ok and err then
        errlog("failed to ", what, ": ", err)
    end
    return ok
end

function Checker:turn(peer, down)
    peer.down = down
    local ok, err = upstream.set_peer_down(self.upstream, peer.backup, peer.id, down)
    expect(ok, err, "set peer down")
    ok, err = self.dict:set(self:key("d", peer), down or nil)
    expect(ok, err, "set peer down state")
    self.changed = true
end

-- Counts a result; the counter of the opposite results begins anew.
function Checker:count(peer, what, opposite)
    local n, err = self.dict:incr(self:key(what, peer), 1, 0)
    if not expect(n, err, "count the results of " .. peer.name) then
        return 0
    end
    if n == 1 then
        self.dict:delete(self:key(opposite, peer))
    end
    return n
end

function Checker:succeeded(peer)
    local n = self:count(peer, "ok", "nok")
    if peer.down and n >= self.rise then
        self:turn(peer, false)
        log(ngx.WARN, "healthcheck: peer ", peer.name, " is turned up after ", n, " success(es)")
    end
end

function Checker:failed(peer, ...)
    if not peer.down then
        errlog(...)
    end
    local n = self:count(peer, "nok", "ok")
    if not peer.down and n >= self.fall then
        self:turn(peer, true)
        log(ngx.WARN, "healthcheck: peer ", peer.name, " is turned down after ", n, " failure(s)")
    end
end

-- Asks a peer and returns nothing, or what is wrong with it.
function Checker:ask(sock, peer)
    local name = peer.name
    local ok, err
    if peer.host then
        ok, err = sock:connect(peer.host, peer.port)
    else
        ok, err = sock:connect(name)
    end
    if not ok then
        return "failed to connect to ", name, ": ", err
    end
    if self.type == "https" then
        ok, err = sock:sslhandshake(nil, self.host, self.ssl_verify)
        if not ok then
            return "failed to ssl handshake to ", name, ": ", err
        end
    end
    ok, err = sock:send(self.http_req)
    if not ok then
        return "failed to send request to ", name, ": ", err
    end
    local line
    line, err = sock:receive()
    if not line then
        return "failed to receive status line from ", name, ": ", err
    end
    if not self.statuses then
        return
    end
    local m = re_match(line, [[^HTTP/\d+\.\d+\s+(\d+)]], "joi")
    if not m then
        return "bad status line from ", name, ": ", line
    end
    if not self.statuses[tonumber(m[1])] then
        return "bad status code from ", name, ": ", m[1]
    end
end

function Checker:check(peer)
    local sock, err = tcp()
    if not sock then
        errlog("failed to create stream socket: ", err)
        return
    end
    sock:settimeout(self.timeout)
    local what, name, colon, why = self:ask(sock, peer)
    sock:close()
    if what then
        self:failed(peer, what, name, colon, why)
    else
        self:succeeded(peer)
    end
end

-- Checks all peers, several at a time if that is wanted.
function Checker:check_all()
    local peers, at = self.peers, 0
    local function work()
        while at < #peers do
            at = at + 1
            self:check(peers[at])
        end
    end
    local threads = {}
    for i = 1, min(self.concurrency, #peers) - 1 do
        threads[i] = spawn(work)
    end
    work()
    for _, t in ipairs(threads) do
        wait(t)
    end
end

-- Takes over what other workers have found.
function Checker:update()
    local version, err = self.dict:get("v:" .. self.upstream)
    if not version then
        expect(version, err, "get peers version")
        -- The dictionary was emptied: publish what is known here.
        self.changed = self.changed or not err and self.version > 0
        return
    end
    if self.version >= version then
        return
    end
    self.version = version
    for _, peer in ipairs(self.peers) do
        local down
        down, err = self.dict:get(self:key("d", peer))
        expect(down, err, "get peer down state")
        down = down and true or false
        if down ~= peer.down then
            peer.down = down
            local ok
            ok, err = upstream.set_peer_down(self.upstream, peer.backup, peer.id, down)
            expect(ok, err, "set peer down")
        end
    end
end

-- Tells the other workers that something has changed.
function Checker:publish()
    self.changed = false
    local version, err = self.dict:incr("v:" .. self.upstream, 1, 0)
    if expect(version, err, "publish new peers version") then
        self.version = version
    end
end

-- Whether it is this worker that checks now. The lock ends just before the
-- next interval.
function Checker:lock()
    local key = "l:" .. self.upstream
    local ok, err = self.dict:add(key, true, self.interval - 0.001)
    if not ok and err ~= "exists" then
        errlog('failed to add key "', key, '": ', err)
    end
    return ok
end

function Checker:cycle()
    self:update()
    if self:lock() then
        self:check_all()
    end
    if self.changed then
        self:publish()
    end
end

local function run(premature, checker)
    if premature then
        return
    end
    local ok, err = pcall(checker.cycle, checker)
    if not ok then
        errlog("failed to run healthcheck cycle: ", err)
    end
    ok, err = new_timer(checker.interval, run, checker)
    if not ok then
        if err ~= "process exiting" then
            errlog("failed to create timer: ", err)
        end
        checkers[checker.upstream] = checkers[checker.upstream] - 1
    end
end

-- Appends the peers of a list as they are checked.
local function add_peers(peers, list, backup, port)
    for _, p in ipairs(list) do
        local peer = { id = p.id, name = p.name, backup = backup, down = p.down or false }
        local host, own = p.name:match("^(.*):(%d+)$")
        if host then
            peer.host, peer.port = host, port or tonumber(own)
        end
        peers[#peers + 1] = peer
    end
end

-- Reads the options of spawn_checker; nil and a message if they are wrong.
local function new_checker(opts)
    local typ, dict = opts.type, opts.shm and ngx.shared[opts.shm]
    if not typ then
        return nil, '"type" option required'
    elseif typ ~= "http" and typ ~= "https" then
        return nil, 'only "http" and "https" type are supported right now'
    elseif not opts.http_req then
        return nil, '"http_req" option required'
    elseif not opts.shm then
        return nil, '"shm" option required'
    elseif not dict then
        return nil, 'shm "' .. tostring(opts.shm) .. '" not found'
    elseif not opts.upstream then
        return nil, "no upstream specified"
    end
    local primary, err = upstream.get_primary_peers(opts.upstream)
    if not primary then
        return nil, "failed to get primary peers: " .. err
    end
    local backup
    backup, err = upstream.get_backup_peers(opts.upstream)
    if not backup then
        return nil, "failed to get backup peers: " .. err
    end
    local peers = {}
    add_peers(peers, primary, false, opts.port)
    add_peers(peers, backup, true, opts.port)
    local statuses
    if opts.valid_statuses then
        statuses = {}
        for _, status in ipairs(opts.valid_statuses) do
            statuses[status] = true
        end
    end
    return setmetatable({
        upstream = opts.upstream, peers = peers, dict = dict, version = 0,
        type = typ, http_req = opts.http_req, statuses = statuses,
        host = opts.host, ssl_verify = opts.ssl_verify ~= false,
        timeout = opts.timeout or 1000,
        interval = max((opts.interval or 1000) / 1000, 0.002),
        concurrency = opts.concurrency or 1,
        fall = opts.fall or 5, rise = opts.rise or 2,
    }, Checker)
end

function _M.spawn_checker(opts)
    local checker, err = new_checker(opts)
    if not checker then
        return nil, err
    end
    local ok
    ok, err = new_timer(0, run, checker)
    if not ok then
        return nil, "failed to create timer: " .. err
    end
    checkers[opts.upstream] = (checkers[opts.upstream] or 0) + 1
    return true
end

local function checked(u)
    return (checkers[u] or 0) > 0
end

local lists = {
    { title = "Primary", role = "PRIMARY", get = upstream.get_primary_peers },
    { title = "Backup", role = "BACKUP", get = upstream.get_backup_peers },
}

-- The state of all peers as text.
function _M.status_page()
    local out = {}
    for i, u in ipairs(upstream.get_upstreams()) do
        out[#out + 1] = (i > 1 and "\n" or "") .. "Upstream " .. u .. (checked(u) and "" or " (NO checkers)") .. "\n"
        for _, list in ipairs(lists) do
            out[#out + 1] = "    " .. list.title .. " Peers\n"
            for _, peer in ipairs(list.get(u) or {}) do
                out[#out + 1] = "        " .. peer.name .. (peer.down and " DOWN\n" or " UP\n")
            end
        end
    end
    return concat(out)
end

local metric = "nginx_upstream_status_info"

-- Appends one sample for each state, 1 for the one that is.
local function samples(out, states, state, labels, role)
    for _, s in ipairs(states) do
        out[#out + 1] = metric .. "{" .. labels .. ',status="' .. s .. '"' .. role .. "} " .. (s == state and 1 or 0) .. "\n"
    end
end

local peer_states = { "UP", "DOWN" }
local upstream_states = { "UP", "DOWN", "UNKNOWN" }

-- The same for Prometheus.
function _M.prometheus_status_page()
    local out = {
        "# HELP " .. metric .. " The running status of nginx upstream\n",
        "# TYPE " .. metric .. " gauge\n",
    }
    for _, u in ipairs(upstream.get_upstreams()) do
        local name, state = 'name="' .. u .. '"', "UNKNOWN"
        if checked(u) then
            state = "DOWN"
            for _, list in ipairs(lists) do
                for _, peer in ipairs(list.get(u) or {}) do
                    local of_peer = peer.down and "DOWN" or "UP"
                    if of_peer == "UP" then
                        state = "UP"
                    end
                    samples(out, peer_states, of_peer, name .. ',endpoint="' .. peer.name .. '"', ',role="' .. list.role .. '"')
                end
            end
        end
        samples(out, upstream_states, state, name, "")
    end
    return concat(out)
end

return _M
