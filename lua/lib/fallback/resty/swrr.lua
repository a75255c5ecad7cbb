-- resty.swrr: nginx's smooth weighted round-robin; a heavy node's turns are
-- spread among those of the others.
local utils = require "resty.balancer.utils"

local pairs = pairs
local random = math.random
local setmetatable = setmetatable

local _M = {}
local mt = { __index = _M }

-- Begins somewhere in the order, so that not all workers begin with the same
-- node.
local function start(self, nodes)
    self.nodes = utils.copy(nodes)
    self.current_weights = {}
    local n = utils.nkeys(self.nodes)
    for _ = 1, n > 0 and random(n) or 0 do
        self:find()
    end
end

function _M.new(_, nodes)
    local self = setmetatable({}, mt)
    start(self, nodes)
    return self
end

_M.reinit = start

utils.weights(_M, function(self, id)
    if not self.nodes[id] then
        self.current_weights[id] = nil
    end
end)

function _M.find(self)
    local current = self.current_weights
    local best, most, total = nil, 0, 0
    for id, weight in pairs(self.nodes) do
        local w = (current[id] or 0) + weight
        current[id] = w
        total = total + weight
        if not best or w > most then
            best, most = id, w
        end
    end
    if best then
        current[best] = most - total
    end
    return best
end

_M.next = _M.find

return _M
