package differential

import "strings"

// uriPlan: paths of segments that normalisation changes, and what prefixes,
// aliases and proxy_pass make of them.
func uriPlan(d *dice) *plan {
	const shown = `return 200 "$uri|$request_uri|$args|$is_args|$document_uri|$1|$request_filename\n";`
	p := &plan{files: map[string]string{"a": "a\n", "d/index.html": "d\n", "d/ b": "b\n", "d/%41": "percent\n", "d/é": "e\n", "al/x/y": "y\n"}}
	p.http = `
server { listen 127.0.0.1:8080; root ROOT; ` + d.maybe(30, "merge_slashes off;") + `
    location /s/ { ` + shown + ` }
    location /s/d/ { alias ROOT/d/; }
    location ~ ^/r(/.*)$ { ` + shown + ` }
    location /p/ { proxy_pass http://127.0.0.1:8081/q/; }
    location /p/d { proxy_pass http://127.0.0.1:8081; }
    location ~ ^/w/(.*) { rewrite ^ /s/$1 last; }
    location ~ ^/t/(.*) { return 302 /s/$1; }
    location ~ ^/al/(.*)$ { alias ROOT/al/$1; }
}
server { listen 127.0.0.1:8081; location / { return 200 "$request_uri|$uri\n"; } }
`
	segment := func() string {
		return d.of("a", "d", "x", ".", "..", "...", "", "", "a.", ".a", "%2e", "%2E%2e", ".%2e", "%2f", "%2F..", "%5c", "%25", "%2541", "%20b",
			"%00", "%0a", "%", "%4", "%g1", "%c3%a9", "\xc3\xa9", "%ff", "+", ";x=1", ":", "~", "%23", "%3f", "%7e", "x y", "%41", "é", "&", "=",
			"\"", "%22", "<", "%3C", "$1", "$", "index.html", "y")
	}
	for range 300 {
		path := d.of("/s/", "/s/", "/r/", "/p/", "/p/d", "/w/", "/t/", "/al/", "/s/d/", "/", "//", "/d/", "/s/..", "/p/../") +
			d.several(0, 5, "/", segment)
		path += d.maybe(30, d.of("?", "#")+d.several(0, 3, "&", func() string { return d.of("a=b", "%", "%2e", "a=?", "x#y", "/../", "%00") }))
		if strings.Contains(path, " ") {
			path = strings.ReplaceAll(path, " ", d.mostly("%20", 10, []string{" "}))
		}
		p.asks = append(p.asks, request("GET "+path))
	}
	return p
}
