-- resty.balancer.utils: what the balancers of this folder's parent share.
local pairs = pairs
local tonumber = tonumber

local _M = {
    name = "balancer-utils",
    version = "0.05",
    new_tab = require "table.new",
    nkeys = require "table.nkeys",
}

-- A copy of a table of nodes with their weights as numbers.
function _M.copy(nodes)
    local list = {}
    for id, weight in pairs(nodes) do
        list[id] = tonumber(weight)
    end
    return list
end

-- The methods that change weights, for a class whose objects have "nodes" and
-- are told by changed(self, id) when a weight is another or gone.
function _M.weights(class, changed)
    local function put(self, id, weight)
        self.nodes[id] = weight > 0 and weight or nil
        changed(self, id)
    end

    function class.delete(self, id)
        put(self, id, 0)
    end

    function class.incr(self, id, weight)
        put(self, id, (self.nodes[id] or 0) + (tonumber(weight) or 1))
    end

    function class.decr(self, id, weight)
        local old = self.nodes[id]
        if old then
            put(self, id, old - (tonumber(weight) or 1))
        end
    end

    function class.set(self, id, weight)
        weight = tonumber(weight) or 0
        if weight ~= (self.nodes[id] or 0) then
            put(self, id, weight)
        end
    end
end

return _M
