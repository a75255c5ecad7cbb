-- resty.roundrobin: nodes in turn by their weights; a heavy node's turns come
-- one behind the other.
local utils = require "resty.balancer.utils"

local next = next
local error = error
local random = math.random
local setmetatable = setmetatable

local _M = {}
local mt = { __index = _M }

local function gcd(a, b)
    while b ~= 0 do
        a, b = b, a % b
    end
    return a
end

-- Works out what find needs to know of the weights.
local function survey(self)
    local first, greatest = next(self.nodes)
    if not first then
        error("empty nodes")
    end
    local only, common = first, greatest
    for id, weight in next, self.nodes, first do
        only = nil
        common = gcd(common, weight)
        greatest = weight > greatest and weight or greatest
    end
    self.only_key, self.gcd, self.max_weight = only, common, greatest
end

-- Begins at a random node, so that not all workers begin with the same one.
local function start(self, nodes)
    self.nodes = utils.copy(nodes)
    survey(self)
    self.cw = self.max_weight
    local id
    for _ = 1, random(utils.nkeys(self.nodes)) do
        id = next(self.nodes, id)
    end
    self.last_id = id
end

function _M.new(_, nodes)
    local self = setmetatable({}, mt)
    start(self, nodes)
    return self
end

_M.reinit = start

utils.weights(_M, function(self, id)
    survey(self)
    if not self.nodes[id] and id == self.last_id then
        self.last_id = nil
    end
    if self.cw > self.max_weight then
        self.cw = self.max_weight
    end
end)

-- A round goes over the nodes whose weight reaches cw, which falls from the
-- greatest weight to zero.
function _M.find(self)
    if self.only_key then
        return self.only_key
    end
    local nodes, id, cw = self.nodes, self.last_id, self.cw
    while true do
        local weight
        repeat
            id, weight = next(nodes, id)
        until not id or weight >= cw
        if id then
            self.last_id, self.cw = id, cw
            return id
        end
        cw = cw - self.gcd
        if cw <= 0 then
            cw = self.max_weight
        end
    end
end

_M.next = _M.find

return _M
