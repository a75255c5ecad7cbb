-- resty.socket_methods: the methods of a client that are those of its cosocket.

-- Gives class the methods of the table, by the name of the socket's method. field is where objects have their socket;
-- without one a method returns nil and "not initialized".
return function(class, field, methods)
    for name, method in pairs(methods) do
        class[name] = function(self, ...)
            local sock = rawget(self, field)
            if not sock then
                return nil, "not initialized"
            end
            return sock[method](sock, ...)
        end
    end
end
