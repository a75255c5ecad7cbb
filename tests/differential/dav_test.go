package differential

import (
	"bytes"
	"fmt"
	"strings"
)

// davPlan: sequences of methods that change a folder, each in a folder of its own.
func davPlan(d *dice) *plan {
	p := &plan{own: true, files: map[string]string{}}
	p.http = `
server { listen 127.0.0.1:8080; root ROOT; client_max_body_size 1k; client_body_temp_path ROOT/temp; autoindex on; index none;
    location / { dav_methods PUT DELETE MKCOL COPY MOVE; ` + d.maybe(50, "create_full_put_path on;") + d.maybe(30, " min_delete_depth 2;") + d.maybe(30, " dav_access user:rw group:r all:r;") + ` }
    location /get { return 200 get; }
}
`
	for i := range 40 {
		p.files[fmt.Sprintf("%d/d/f", i)] = "f\n"
		p.files[fmt.Sprintf("%d/e/", i)] = ""
		p.files[fmt.Sprintf("%d/a", i)] = "a\n"
		q := ask{}
		for range d.between(3, 12) {
			q.pieces = append(q.pieces, d.davRequest(i))
		}
		for _, path := range []string{"", "d/", "e/", "a", "n/"} {
			q.pieces = append(q.pieces, fmt.Appendf(nil, "GET /%d/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", i, path))
		}
		q.pieces = append(q.pieces, []byte("GET /get HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
		q.pieces = [][]byte{bytes.Join(q.pieces, nil)}
		p.asks = append(p.asks, q)
	}
	return p
}

func (d *dice) davRequest(i int) []byte {
	path := func() string {
		return fmt.Sprintf("/%d/", i) + d.of("a", "d", "d/", "d/f", "e", "e/", "n", "n/", "n/m", "n/m/", "a/x", "d/g", "", "é", "a%20b")
	}
	from, to := path(), path()
	for strings.HasPrefix(from, strings.TrimSuffix(to, "/")) || strings.HasPrefix(to, strings.TrimSuffix(from, "/")) { // refused since nginx 1.29
		from, to = path(), path()
	}
	method := d.of("PUT", "PUT", "PUT", "DELETE", "DELETE", "MKCOL", "MKCOL", "COPY", "COPY", "MOVE", "MOVE", "GET", "OPTIONS", "POST", "PROPFIND")
	text := method + " " + from + " HTTP/1.1\r\nHost: localhost\r\n"
	if d.chance(25) {
		text += "Depth: " + d.of("0", "1", "infinity", "x", "") + "\r\n"
	}
	if method == "COPY" || method == "MOVE" || d.chance(5) {
		text += d.maybe(95, "Destination: "+d.mostly("", 40, []string{"http://localhost", "https://localhost", "http://other", "localhost", "http://localhost:80", "//", "http://"})+to+d.maybe(5, "?x")+"\r\n")
		text += d.maybe(40, "Overwrite: "+d.of("T", "F", "t", "x", "")+"\r\n")
	}
	body := ""
	if method == "PUT" && d.chance(85) || d.chance(8) {
		body = d.letters(0, 30, "ab")
		if d.chance(20) {
			return []byte(text + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body)+1, body+"."))
		}
		text += fmt.Sprintf("Content-Length: %d\r\n", len(body)) + d.maybe(10, "Date: Tue, 02 Jan 2024 03:04:05 GMT\r\n") + d.maybe(10, "Content-Range: bytes 0-1/2\r\n")
	}
	return []byte(text + "\r\n" + body)
}
