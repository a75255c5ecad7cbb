package wire

// Method is a request method that nginx knows, as a bit so that sets of
// methods are masks (limit_except). The zero Method is any other.
type Method uint32

// The methods in nginx's order (NGX_HTTP_GET …).
const (
	GET Method = 2 << iota
	HEAD
	POST
	PUT
	DELETE
	MKCOL
	COPY
	MOVE
	OPTIONS
	PROPFIND
	PROPPATCH
	LOCK
	UNLOCK
	PATCH
	TRACE
	CONNECT
)

var methodNames = [...]string{
	"GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE", "OPTIONS",
	"PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "PATCH", "TRACE", "CONNECT",
}

// String is the name of a single method, empty for the unknown one.
func (m Method) String() string {
	for i, name := range methodNames {
		if m == GET<<i {
			return name
		}
	}
	return ""
}

// LookupMethod returns the method of that name; names are case-sensitive.
func LookupMethod(name []byte) Method {
	switch string(name) {
	case "GET":
		return GET
	case "HEAD":
		return HEAD
	case "POST":
		return POST
	case "PUT":
		return PUT
	case "DELETE":
		return DELETE
	case "MKCOL":
		return MKCOL
	case "COPY":
		return COPY
	case "MOVE":
		return MOVE
	case "OPTIONS":
		return OPTIONS
	case "PROPFIND":
		return PROPFIND
	case "PROPPATCH":
		return PROPPATCH
	case "LOCK":
		return LOCK
	case "UNLOCK":
		return UNLOCK
	case "PATCH":
		return PATCH
	case "TRACE":
		return TRACE
	case "CONNECT":
		return CONNECT
	}
	return 0
}
