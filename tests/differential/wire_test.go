package differential

import (
	"fmt"
	"slices"
	"strings"
)

// wirePlan: requests that are wrong, or nearly, in every place.
func wirePlan(d *dice) *plan {
	p := &plan{raw: true, http: wireConf, files: map[string]string{
		"index.html": "<p>index</p>\n", "a.txt": "0123456789\n", "big.txt": strings.Repeat("0123456789abcdef", 2000), "d/index.html": "d\n",
	}}
	for range 300 {
		p.asks = append(p.asks, d.connection())
	}
	return p
}

const wireConf = `
types { text/html html; text/plain txt; }
default_type application/octet-stream;
client_header_timeout 3s; client_body_timeout 3s; keepalive_timeout 3s; lingering_timeout 1s; lingering_time 2s;
client_header_buffer_size 256; large_client_header_buffers 2 1k; client_max_body_size 2k;
server {
    listen 127.0.0.1:8080 default_server;
    server_name localhost;
    root ROOT;
    location /v {
        return 200 "$request_method|$request_uri|$uri|$args|$is_args|$host|$http_host|$server_protocol|$http_content_length|$content_type|$http_x|$http_x_y|$http_cookie|$cookie_a|$arg_a|$http_transfer_encoding|$http_connection|$http_accept\n";
    }
    location /lim { client_max_body_size 10; return 200 "lim\n"; }
    location /pass {
        proxy_pass http://127.0.0.1:8080/v; proxy_http_version 1.1; proxy_ignore_client_abort on;
        proxy_set_header Host $http_host; proxy_set_header Connection close;
    }
    location /none { return 204; }
    location /to { return 301 /x; }
    location /gone { return 444; }
    location ~ \.php$ { return 403; }
    location /opt { error_page 405 =200 /v; }
}
server {
    listen 127.0.0.1:8080;
    server_name other *.wild.test ~^re(\d+)\.test$;
    underscores_in_headers on; ignore_invalid_headers off; merge_slashes off;
    location / { return 200 "other|$uri|$host|$http_x_y|$1|$http_x\n"; }
}
`

// What requests are made of. Methods, names and values of one letter or byte more
// than is legal, and what several servers disagree about.
var (
	oddMethods = []string{"PUT", "DELETE", "OPTIONS", "TRACE", "QUX", "PATCH", "get", "G-T", "G_T", "GE T", "FOO", "", "G\xc9T", "M-SEARCH",
		"PROPFIND", strings.Repeat("A", 40), "GET\t", "\x00GET", "G\"T", "GET\r"}
	oddTargets = []string{"/v?", "/v??", "/v?a=b&c=d#frag", "/v#x", "/v%41", "/v/%2e%2e/", "/v/../a.txt", "/../", "/..", "/./", "//", "//v",
		"/v//x", "/%", "/%4", "/%zz", "/%00", "/v%00", "/v/%2Fx", "/v\\x", "/v/./x", "/v/x/..", "/v/.", "/v/..", "/v/...", "/v/%2e", "/d",
		"/d/", "/d?x", "/nope", "/pass?x=1", "/none", "/to", "/gone", "/x.php", "/x.php/", "/opt", "*", "v", "http://localhost/v",
		"http://localhost", "http://other/x?y", "http://localhost:80/v", "http://re12.test/q", "http://a.wild.test", "http://", "http:///v",
		"http://[::1]/v", "http://[::1", "http://l^ost/v", "HTTP://localhost/v", "ftp://localhost/v", "http:/v", "https://localhost/v",
		"localhost:80", "/v?" + strings.Repeat("x", 300), "/v/" + strings.Repeat("y", 700), "/" + strings.Repeat("z", 1100), "/v x",
		"/v\tx", "/v\x01", "/v\x7f", "/v\xe9", "/v?\xe9 x", "/v%20x", "/v+x", "/v;x", "/v,\"<>", "/v?a=%00", "/v/a%5cb", "", "/V", "/v?%",
		"/v/%E4%BD", "/v:x", "/v~", "/v|x", "/v HTTP/1.0", "http://user@localhost/v", "http://localhost?x=1", "http://localhost#x",
		"http://other./v", "http://OTHER/V", "a+b://localhost/v", "1http://localhost/v", "/v%23x%3fy", "/%2e%2e/%2e%2e/v",
		"/v/%2e/./x/../..//v", "/v%2f..%2fx"}
	oddVersions = []string{"HTTP/1.0", "HTTP/1.0", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3.0", "HTTP/1", "HTTP/1.", "HTTP/1.10",
		"HTTP/01.1", "HTTP/11.1", "http/1.1", "HTTP/1.1 ", "HTTP/1.1  x", "HTP/1.1", "", "HTTP", "HTTP/", "HTTP/a.b", "HTTP/1.x",
		"HTTP/1.999", "HTTP/9.9", "HTTP /1.1", "HTTP/1 .1", "XTTP/1.1"}
	// Of the bytes that a Host may not have, nginx knows more since 1.29.
	oddHosts = []string{"other", "other", "other", "a.wild.test", "wild.test", ".wild.test", "re7.test", "OTHER", "other.", "other:80", "other:",
		"", "..", "a..b", "a b", "a\x00b", "a\tb", "_x_", "-", ".", strings.Repeat("a", 260), "127.0.0.1:80", " localhost",
		"localhost ", "\tlocalhost"}
	names = []string{"X", "x", "X-Y", "X_Y", "X Y", "X\t", "X ", "", "X(", "X.Y", "X\x00Y", "\x01", "X\xe9", "-", "_", "1", "Cookie", "Accept",
		"Content-Type", "Range", "If-Modified-Since", "Connection", "Expect", "Content-Length", "Transfer-Encoding", "Host", "TE", "Upgrade",
		"X-Y-Z" + strings.Repeat("z", 50), "Referer", "User-Agent", "Keep-Alive", "Trailer", "If-None-Match", "If-Match", "If-Range",
		"If-Unmodified-Since", "Accept-Encoding", "Authorization", "X-Forwarded-For", "Content_Length", "Content-Length ",
		"Transfer_Encoding", "Transfer-Encoding ", "\tX", " X", "X\"", "X/Y", "X@", "Via", "X!", "X#$%&'*+-.^`|~"}
	values = []string{"", "a", " a ", "a  b", "\ta\t", "a\x00b", "a\x01", "a\x7f", "a\xe9", "\"a", "a\rb", "a\r", "a: b", ":", "a=b; c=d",
		strings.Repeat("x", 200), strings.Repeat("y", 1100), "0", "-1", "close", "keep-alive", "bytes=0-1", "bytes=0-", "bytes=-1", "bytes=2-1",
		"bytes=0-0,2-3", "bytes=9999-", "bytes=a", "100-continue", "chunked", "gzip", "identity", "*", "W/\"x\"", "\"x\"",
		"Tue, 02 Jan 2024 03:04:05 GMT", "Tue, 02 Jan 2024 03:04:06 GMT", "garbage", "5", " 5", "+5", "5 5", "5,5", "0x5", "05",
		"99999999999999999999", "websocket", "Upgrade, close", "Close", "KEEP-ALIVE", "close, keep-alive", "bytes=0-99999999999999999999",
		"100-Continue", "100-continuex", "bytes=1-0,0-1", "bytes= 0-1", "bytes=0-1, 3-4 ,", "bytes=-0"}
	lineEnds   = []string{"\n", "\n", "\n", "\r", "\r\r\n", "\n\n", "\r\n\r\n", "\n\r", " \r\n", "\t\r\n", "\x00\r\n"}
	spaces     = []string{"  ", "\t", "", "\x0b", " \t"}
	extensions = []string{";", "; a", "; a=b", ";a=\"b\r\n\"", " ; a", "\t;a", ";a\rb", ";\x00"}
	// A line of the chunked coding that ends in LF alone is refused since nginx 1.29.
	lastChunks = []string{"0\r\n", "0\r\nX: y\r\n\r\n", "0\r\nContent-Length: 5\r\n\r\n", "00\r\n\r\n", "0;x\r\n\r\n", "0\r\nX Y\r\n\r\n",
		"0\r\n: y\r\n\r\n", "", "0\r\nHost: other\r\n\r\n", "0\r\nT: " + strings.Repeat("t", 1200) + "\r\n\r\n",
		"0\r\nX: \x00\r\n\r\n", "0 \r\n\r\n"}
	codings = []string{"Chunked", "CHUNKED", "chunked ", " chunked", "\tchunked", "chunked,", "chunked, chunked", "gzip, chunked", "identity",
		"x", "", "chunked;q=1", "\"chunked\"", "chunked\x00", "xchunked", "chunkedx", "chunked, identity", "identity, chunked", "\x0bchunked"}
)

// connection is one or two requests, mostly followed by one that ends the connection.
func (d *dice) connection() ask {
	text := d.several(1, d.between(1, 2), "", d.oddRequest)
	q := ask{fin: d.chance(33)}
	if !q.fin {
		text += "GET /v?end HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	}
	cuts := []int{0, len(text)}
	for d.chance(20) && len(cuts) < 5 {
		cuts = append(cuts, d.IntN(len(text)))
	}
	slices.Sort(cuts)
	for i := range len(cuts) - 1 {
		if cuts[i] < cuts[i+1] {
			q.pieces = append(q.pieces, []byte(text[cuts[i]:cuts[i+1]]))
		}
	}
	return q
}

func (d *dice) oddRequest() string {
	eol := func() string { return "\r\n" }
	if d.chance(10) {
		eol = func() string { return d.mostly("\r\n", 28, lineEnds) }
	}
	space := func() string { return d.mostly(" ", 1, spaces) }
	line := d.mostly(d.of("GET", "POST", "GET", "HEAD"), 10, oddMethods) + space() +
		d.mostly(d.of("/v", "/v?a=b", "/a.txt", "/", "/lim", "/big.txt", "/pass"), 40, oddTargets)
	if version := d.mostly("HTTP/1.1", 15, oddVersions); version != "" || d.chance(50) {
		line += space() + version
	}
	fields, body := d.framing()
	if d.chance(93) {
		fields = append(fields, "Host: "+d.mostly("localhost", 20, oddHosts))
	}
	if d.chance(3) {
		fields = append(fields, "Host: "+d.of(oddHosts...))
	}
	for range d.IntN(4) {
		if name := d.of(names...); !slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(f, name) }) { // see below
			fields = append(fields, name+d.mostly(": ", 6, []string{":", " : ", ":\t", " ", ":  ", "::"})+d.of(values...))
		}
	}
	// The values of a field that is there twice are joined since nginx 1.23.
	if d.chance(10) && !slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(f, "Connection") }) {
		fields = append(fields, "Connection: "+d.of("close", "keep-alive", "Close", "x", "upgrade", "close, x", ""))
	}
	if d.chance(10) {
		fields = append(fields, "Expect: "+d.of("100-continue", "100-continue ", "x", "100-Continue"))
	}
	d.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	text := d.maybe(9, d.of("\r\n", "\n", "\r\n\r\n", " ", "\r", "\x00")) + line + eol()
	for _, f := range fields {
		text += f + eol()
		if d.chance(1) {
			text += d.of(" folded", "\tfolded") + eol()
		}
	}
	return text + eol() + body
}

// framing is a body and the fields that tell, rightly or not, how long it is.
func (d *dice) framing() (fields []string, body string) {
	switch n := d.IntN(100); {
	case n < 25:
		size := []int{0, 1, 5, 11, 100, 2049}[d.IntN(6)]
		length := d.mostly(fmt.Sprint(size), 30, []string{fmt.Sprint(size + 1), fmt.Sprint(max(0, size-1)), fmt.Sprintf("+%d", size),
			fmt.Sprintf("%d ", size), fmt.Sprintf("0%d", size), fmt.Sprintf("%d,%d", size, size), "", "a", "-1", "0x1", "1e1",
			"18446744073709551616", "9223372036854775807", "9223372036854775808", fmt.Sprintf("%d\t", size)})
		fields = append(fields, "Content-Length: "+length)
		if d.chance(10) {
			fields = append(fields, "Content-Length: "+d.of(length, "3"))
		}
		if d.chance(10) {
			fields = append(fields, "Transfer-Encoding: "+d.of("chunked", "identity", "x"))
		}
		return fields, strings.Repeat("b", size)
	case n < 55:
		coding := d.mostly("chunked", 30, codings)
		fields = append(fields, "Transfer-Encoding: "+coding)
		if d.chance(15) {
			fields = append(fields, "Transfer-Encoding: "+d.of("chunked", "identity", coding))
		}
		if d.chance(15) {
			fields = append(fields, "Content-Length: "+d.of("0", "5", "x"))
		}
		return fields, d.several(0, 3, "", d.chunk) + d.mostly("0\r\n\r\n", 60, lastChunks)
	}
	return nil, ""
}

func (d *dice) chunk() string {
	size := []int{1, 3, 10, 300}[d.IntN(4)]
	hex := d.mostly(fmt.Sprintf("%x", size), 25, []string{fmt.Sprintf("%X", size), fmt.Sprintf("0%x", size), fmt.Sprintf("00000000%x", size),
		fmt.Sprintf("+%x", size), fmt.Sprintf(" %x", size), fmt.Sprintf("%x ", size), fmt.Sprintf("0x%x", size), "-1", "g", "",
		"FFFFFFFFFFFFFFFFF", "7fffffffffffffff", "ffffffff", fmt.Sprintf("%x", size+2), fmt.Sprintf("%x\t", size)})
	return hex + d.maybe(30, d.of(extensions...)) + d.mostly("\r\n", 10, []string{"\r", "\r\r\n", ""}) +
		strings.Repeat("d", size) + d.mostly("\r\n", 10, []string{"\r", "", "\r\n\r\n", "xx\r\n"})
}
