-- resty.core: what it replaces in OpenResty is native here.
return { version = "0.1.32" }
