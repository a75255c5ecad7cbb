package backends

import (
	"bufio"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"moongate/tests/spec"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// httpsOrigin is a server over TLS that says what it was sent. Below /trailers it ends its answer with a trailer.
func httpsOrigin(t *testing.T) *httptest.Server {
	origin := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/trailers" {
			w.Header().Set("Trailer", "X-Sum")
			fmt.Fprint(w, "some")
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "thing")
			w.Header().Set("X-Sum", "42")
			return
		}
		fmt.Fprintf(w, "%s %s %v %s", r.Method, r.URL.Path, r.TransferEncoding, body)
	}))
	origin.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that the client ends are part of the test
	origin.StartTLS()
	t.Cleanup(origin.Close)
	return origin
}

// connectProxy is a proxy that lets through who has the password. It counts the tunnels it makes.
func connectProxy(t *testing.T, password string) (addr string, tunnels *atomic.Int32) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	tunnels = new(atomic.Int32)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveTunnel(c, password, tunnels)
		}
	}()
	return l.Addr().String(), tunnels
}

func serveTunnel(c net.Conn, password string, tunnels *atomic.Int32) {
	defer c.Close()
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != password {
		fmt.Fprint(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return
	}
	up, err := net.DialTimeout("tcp", r.Host, 10*time.Second)
	if err != nil {
		fmt.Fprint(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	defer up.Close()
	tunnels.Add(1)
	fmt.Fprint(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(up, in)
		up.Close()
	}()
	_, _ = io.Copy(c, up)
}

// TestRestyHTTP has resty.http speak over TLS, with chunks and trailers, through pools and a proxy.
func TestRestyHTTP(t *testing.T) {
	t.Parallel()
	origin := httpsOrigin(t)
	proxy, tunnels := connectProxy(t, "Basic c2VzYW1l")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: origin.Certificate().Raw})
	dir := spec.Folder(t, "ca.pem", string(ca))
	s := start(t, `resty.http
moongate only: nginx has no such library
-- http.conf --
lua_ssl_trusted_certificate `+filepath.Join(dir, "ca.pem")+`;
lua_ssl_verify_depth 2;
lua_socket_log_errors off;
lua_socket_connect_timeout 10s;
lua_socket_read_timeout 10s;
lua_socket_send_timeout 10s;
init_by_lua_block {
    origin = "`+origin.URL+`"
    options = { scheme = "https", host = "127.0.0.1", port = tonumber(origin:match(":(%d+)$")), ssl_server_name = "example.com" }
    function with(more)
        return setmetatable(more, { __index = options })
    end
    function proxied(authorization)
        return with { proxy_opts = { https_proxy = "http://`+proxy+`", https_proxy_authorization = authorization } }
    end
}
server {
    listen 127.0.0.1:8080;
    location /tls { content_by_lua_block {
        for i = 1, 3 do
            local http = require("resty.http").new()
            assert(http:connect(options))
            local res = assert(http:request { path = "/a" })
            ngx.say(http:get_reused_times(), " ", res.status, " ", res:read_body())
            assert(http:set_keepalive(10000, 2))
        end
        ngx.say(require("resty.http").new():request_uri(origin .. "/b", with { method = "POST", body = "body" }).body)
        ngx.say(select(2, require("resty.http").new():connect(with { ssl_server_name = "other.test" })))
        ngx.say((require("resty.http").new():connect(with { ssl_server_name = "other.test", ssl_verify = false })))
    } }
    location /chunks { content_by_lua_block {
        local http = require("resty.http").new()
        assert(http:connect(options))
        local pieces = { "3\r\nabc\r\n", "2\r\nde\r\n", "0\r\n\r\n" }
        local res = assert(http:request { method = "PUT", path = "/c", headers = { ["Transfer-Encoding"] = "chunked" },
            body = coroutine.wrap(function() for _, piece in ipairs(pieces) do ngx.sleep(0.001) coroutine.yield(piece) end end) })
        ngx.say(res:read_body())
        res = assert(http:request { path = "/trailers", headers = { TE = "trailers" } })
        ngx.say(res:read_body(), " ", res:read_trailers()["X-Sum"], " ", res.headers["Trailer"])
        ngx.say(assert(http:request { path = "/again" }):read_body())
        ngx.say(http:set_keepalive())
    } }
    # A client's body goes on as it comes.
    location /stream { content_by_lua_block {
        local http = require("resty.http").new()
        assert(http:connect(options))
        local reader = assert(http:get_client_body_reader(3))
        local res = assert(http:request { method = "POST", path = "/d", body = reader,
            headers = { ["Content-Length"] = ngx.var.http_content_length } })
        http:proxy_response(res)
        http:set_keepalive()
    } }
    location /tunnel { content_by_lua_block {
        for i = 1, 3 do
            local http = require("resty.http").new()
            assert(http:connect(proxied("Basic c2VzYW1l")))
            local res = assert(http:request { path = "/t" })
            ngx.say(http:get_reused_times(), " ", res:read_body())
            assert(http:set_keepalive(10000, 2))
        end
        ngx.say(select(2, require("resty.http").new():connect(proxied("Basic no"))))
    } }
}
`)
	url := "http://" + s.Addr(8080)
	ask(t, "GET", url+"/tls", nil).want(t, 200, strings.Join([]string{
		"0 200 GET /a [] ", "1 200 GET /a [] ", "2 200 GET /a [] ", "POST /b [] body",
		"certificate host mismatch", "true", ""}, "\n"))
	ask(t, "GET", url+"/chunks", nil).want(t, 200, "PUT /c [chunked] abcde\nsomething 42 X-Sum\nGET /again [] \n1\n")
	ask(t, "POST", url+"/stream", strings.NewReader("0123456789")).want(t, 200, "POST /d [] 0123456789")
	ask(t, "GET", url+"/tunnel", nil).want(t, 200,
		"0 GET /t [] \n1 GET /t [] \n2 GET /t [] \nfailed to establish a tunnel through a proxy: 407\n")
	if n := tunnels.Load(); n != 1 {
		t.Errorf("%d tunnels, want 1", n)
	}
}
