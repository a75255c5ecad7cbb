-- resty.upload: reads a multipart/form-data body piece by piece (RFC 7578).
local req_socket = ngx.req.socket
local match = string.match
local type = type
local setmetatable = setmetatable

local _M = { _VERSION = "0.11" }
local mt = { __index = _M }

local default_chunk_size = 4096
local default_line_size = 512

local function boundary_of(header)
    if type(header) == "table" then
        header = header[1]
    end
    if not header then
        return
    end
    return match(header, ";%s*boundary=\"([^\"]+)\"") or match(header, ";%s*boundary=([^\",;%s]+)")
end

function _M.new(_, chunk_size, max_line_size, preserve_body)
    local boundary = boundary_of(ngx.var.content_type)
    if not boundary then
        return nil, "no boundary defined in Content-Type"
    end
    local sock, err = req_socket()
    if not sock then
        return nil, err
    end
    if preserve_body then
        ngx.req.init_body(chunk_size or default_chunk_size)
    end
    local read_to_boundary, read_line
    read_to_boundary, err = sock:receiveuntil("--" .. boundary)
    if not read_to_boundary then
        return nil, err
    end
    read_line, err = sock:receiveuntil("\r\n")
    if not read_line then
        return nil, err
    end
    return setmetatable({
        sock = sock,
        boundary = boundary,
        size = chunk_size or default_chunk_size,
        line_size = max_line_size or default_line_size,
        read_to_boundary = read_to_boundary,
        read_line = read_line,
        preserve_body = preserve_body,
        state = "preamble",
    }, mt)
end

function _M:set_timeout(timeout)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    return sock:settimeout(timeout)
end

local function keep(self, ...)
    if self.preserve_body then
        for i = 1, select("#", ...) do
            ngx.req.append_body((select(i, ...)))
        end
    end
end

-- after_boundary reads what stands behind a boundary: a line end, or two
-- hyphens at the end of the body.
local function after_boundary(self)
    local two, err = self.sock:receive(2)
    if not two then
        return nil, nil, err
    end
    keep(self, two)
    if two == "--" then
        local rest
        rest, err = self.sock:receive("*a")
        if not rest then
            return nil, nil, err
        end
        keep(self, rest)
        if self.preserve_body then
            ngx.req.finish_body()
        end
        self.state = "eof"
        return "part_end"
    end
    if two ~= "\r\n" then
        local line
        line, err = self.read_line(self.line_size)
        if not line then
            return nil, nil, err or "line too long"
        end
        keep(self, line, "\r\n")
        self.read_line()
    end
    self.state = "header"
    return "part_end"
end

local function read_header(self)
    local line, err = self.read_line(self.line_size)
    if err then
        return nil, nil, err
    end
    local more
    more, err = self.read_line(1)
    if more then
        return nil, nil, "line too long: " .. line .. more .. "..."
    end
    if err then
        return nil, nil, err
    end
    keep(self, line, "\r\n")
    if line == "" then
        self.state = "body"
        return "body_start"
    end
    local key, value = match(line, "([^: \t]+)%s*:%s*(.+)")
    if not key then
        return "header", line
    end
    return "header", { key, value, line }
end

local function read_body(self)
    local chunk, err = self.read_to_boundary(self.size)
    if err then
        return nil, nil, err
    end
    if not chunk then
        keep(self, "\r\n--", self.boundary)
        return after_boundary(self)
    end
    keep(self, chunk)
    return "body", chunk
end

-- The first boundary stands at the very beginning, without the line end that
-- belongs to the others.
local function preamble(self)
    local before, err = self.read_to_boundary()
    if not before then
        return nil, nil, err
    end
    keep(self, before, "--", self.boundary)
    self.read_to_boundary, err = self.sock:receiveuntil("\r\n--" .. self.boundary)
    if not self.read_to_boundary then
        return nil, nil, err
    end
    local typ, _
    typ, _, err = after_boundary(self)
    if not typ then
        return nil, nil, err
    end
    if self.state == "eof" then
        return "eof"
    end
    return read_header(self)
end

local readers = { preamble = preamble, header = read_header, body = read_body }

function _M:read()
    local reader = readers[self.state]
    if not reader then
        return "eof"
    end
    local typ, data, err = reader(self)
    if typ == "body_start" then
        return _M.read(self)
    end
    return typ, data, err
end

return _M
