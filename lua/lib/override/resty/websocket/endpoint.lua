-- resty.websocket.endpoint: what the two sides of a WebSocket have in common.
local protocol = require "resty.websocket.protocol"
local recv_frame, send_frame = protocol.recv_frame, protocol.send_frame
local find = string.find

local _M = {}

-- The state of an endpoint over a connected or new socket. masking: the frames it sends are masked.
function _M.new(sock, opts, masking)
    if opts.timeout then
        sock:settimeout(opts.timeout)
    end
    return {
        sock = sock,
        max_recv_len = opts.max_recv_len or opts.max_payload_len or 65535,
        max_send_len = opts.max_send_len or opts.max_payload_len or 65535,
        masking = masking,
    }
end

local function send(self, fin, opcode, payload)
    if self.fatal then
        return nil, "fatal error already happened"
    end
    if self.closed then
        return nil, "already closed"
    end
    if not self.sock then
        return nil, "not initialized yet"
    end
    local bytes, err = send_frame(self.sock, fin, opcode, payload, self.max_send_len, self.masking)
    if not bytes then
        self.fatal = true
    end
    return bytes, err
end

-- Gives a class the methods of frames. expects_masked: frames that are not masked are refused. closes: nothing is sent
-- behind a close frame.
function _M.methods(class, expects_masked, closes)
    function class:set_timeout(time)
        local sock = self.sock
        if not sock then
            return nil, nil, "not initialized yet"
        end
        return sock:settimeout(time)
    end

    function class:recv_frame()
        if self.fatal then
            return nil, nil, "fatal error already happened"
        end
        if not self.sock then
            return nil, nil, "not initialized yet"
        end
        local data, typ, err = recv_frame(self.sock, self.max_recv_len, expects_masked)
        if not data and not find(err, ": timeout", 1, true) then
            self.fatal = true
        end
        return data, typ, err
    end

    class.send_frame = send

    for name, opcode in pairs { send_text = 0x1, send_binary = 0x2, send_ping = 0x9, send_pong = 0xa } do
        class[name] = function(self, data)
            return send(self, true, opcode, data)
        end
    end

    function class:send_close(code, msg)
        local payload, err = protocol.close_payload(code, msg)
        if not payload then
            return nil, err
        end
        local bytes
        bytes, err = send(self, true, 0x8, payload)
        self.closed = closes
        return bytes, err
    end
end

return _M
