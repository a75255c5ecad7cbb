-- resty.http_body: iterators over message bodies, for resty.http. Each call of one returns a piece, nil at the end, or
-- nil and an error. Its argument is the most bytes the piece may have.

local min = math.min
local tonumber = tonumber

local _M = {}

-- How much is read at a time of a body that ends with its connection.
local CHUNK = 65536


-- Nothing to read.
function _M.none()
    return nil
end


-- So many bytes; until the connection is closed when length is nil.
function _M.plain(sock, length, default)
    local left, over = length, false
    return function(max)
        max = max or default
        if over or left == 0 then
            return nil
        end
        if left then
            local data, err = sock:receive(max and min(max, left) or left)
            if not data then
                over = true
                return nil, err
            end
            left = left - #data
            return data
        end
        local data, err, partial
        if max then
            data, err, partial = sock:receive(max)
        else
            data, err, partial = sock:receive("*a")
            over = true
        end
        if not data then
            over = true
            if err == "closed" then
                return partial ~= "" and partial or nil
            end
            return nil, err
        end
        return data ~= "" and data or nil
    end
end


-- Reads the lines behind the last chunk and gives each field to found.
local function trailers(sock, found)
    while true do
        local line, err = sock:receive("*l")
        if not line then
            return nil, err
        end
        if line == "" then
            return true
        end
        local name, value = line:match("^([^:]+):%s*(.-)%s*$")
        if name and found then
            found(name, value)
        end
    end
end


-- A body of chunks (RFC 9112, 7.1). With raw they are returned with their framing.
function _M.chunked(sock, default, found, raw)
    local left, over = 0, false
    local function fail(err)
        over = true
        return nil, err
    end
    return function(max)
        max = max or default
        if over then
            return nil
        end
        if left == 0 then
            local line, err = sock:receive("*l")
            if not line then
                return fail(err)
            end
            left = tonumber(line:match("^%s*(%x+)"), 16)
            if not left then
                return fail("unable to read chunksize")
            end
            if left == 0 then
                over = true
                local ok, failure = trailers(sock, found)
                if not ok then
                    return nil, failure
                end
                return raw and "0\r\n\r\n" or nil
            end
        end
        local data, err = sock:receive(max and min(max, left) or left)
        if not data then
            return fail(err)
        end
        left = left - #data
        if left == 0 then
            local _, failure = sock:receive(2)
            if failure then
                return fail(failure)
            end
        end
        return raw and ("%x\r\n%s\r\n"):format(#data, data) or data
    end
end


-- Tells whether a Transfer-Encoding field, perhaps a list, names chunks.
function _M.is_chunked(field)
    if type(field) == "table" then
        field = table.concat(field, ",")
    end
    return field ~= nil and field:lower():find("chunked", 1, true) ~= nil
end


-- The body of the client's request, or of one that sock is at, whose fields are headers.
function _M.of_client(chunksize, sock, headers)
    chunksize = chunksize or CHUNK
    if not sock then
        local err
        sock, err = ngx.req.socket()
        if not sock then
            if err == "no body" then
                return nil
            end
            if err == "chunked request bodies not supported yet" then
                sock, err = ngx.req.socket(true)
            end
            if not sock then
                return nil, err
            end
        end
    end
    headers = headers or ngx.req.get_headers()
    local length = tonumber(headers["Content-Length"])
    if length then
        return _M.plain(sock, length, chunksize)
    elseif _M.is_chunked(headers["Transfer-Encoding"]) then
        return _M.chunked(sock, chunksize)
    end
    return nil
end


return _M
