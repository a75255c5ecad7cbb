package ssl

import (
	"strings"
	"testing"
)

func TestOCSPResponse(t *testing.T) {
	const invalid, closed = "OCSP responder sent invalid response", "OCSP responder prematurely closed connection"
	for _, c := range []struct {
		in     string
		status int
		body   string
		says   string
	}{
		{"HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n\r\nbody", 200, "body", ""},
		{"HTTP/1.1 403.1\nX: y\n\n", 403, "", ""},
		{"HTTP/1.0 200\r\ncontent-type:  APPLICATION/ocsp-response \r\n\r\n", 200, "", ""},
		{"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n", 0, "", `OCSP responder sent invalid "Content-Type" header: "text/html"`},
		{"", 0, "", closed},
		{"HTT", 0, "", closed},
		{"HTTP/1.0 200 OK\r\nX: y\r\n", 0, "", closed},
		{"HTTP/1.0 2x0 OK\r\n\r\n", 0, "", invalid},
		{"HTTP/1.0 2000 OK\r\n\r\n", 0, "", invalid},
		{"gibberish\r\n\r\n", 0, "", invalid},
		{"HTTP/1.0 200 OK\r\nbad name: y\r\n\r\n", 0, "", invalid},
	} {
		status, body, says := parseOCSPResponse([]byte(c.in))
		if says != c.says || says == "" && (status != c.status || string(body) != c.body) {
			t.Errorf("%q: %d, %q, %q", c.in, status, body, says)
		}
	}
}

func FuzzOCSPResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n\r\nbody"))
	f.Add([]byte("HTTP/1.1 403.1\nX: y\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		status, body, says := parseOCSPResponse(b)
		if says == "" && (status < 0 || status > 999 || len(body) >= len(b)) {
			t.Fatalf("%d, %d of %d bytes", status, len(body), len(b))
		}
	})
}

func TestResponder(t *testing.T) {
	r, err := parseResponder(nil, "HTTP://127.0.0.1:81/a/b")
	if err != nil || r.host != "127.0.0.1" || r.port != 81 || r.uri != "/a/b" || len(r.addrs) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err = parseResponder(nil, "http://ocsp.test"); err != nil || r.port != 80 || r.uri != "/" || len(r.addrs) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := parseResponder(nil, "ldap://x"); err == nil || !strings.Contains(err.Error(), "invalid URL prefix") {
		t.Error(err)
	}
}
