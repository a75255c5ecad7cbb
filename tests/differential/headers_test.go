package differential

import (
	"fmt"
	"strings"
)

// headersPlan: add_header, add_trailer and expires at each level, on answers of
// every status.
func headersPlan(d *dice) *plan {
	p := &plan{files: map[string]string{"f/a.txt": "a\n", "f/b.html": "b\n", "f/index.html": "i\n"}}
	var text strings.Builder
	text.WriteString("types { text/plain txt; text/html html; }\nmap $arg_e $when { default off; 1 1h; 2 -1h; 3 epoch; 4 max; 5 off; 6 \"\"; 7 x; 8 0; }\n")
	text.WriteString(d.fields("") + "server {\n  listen 127.0.0.1:8080; root ROOT;\n  error_page 418 /f/a.txt; error_page 410 = @gone;\n" + d.fields("  "))
	for i := range 6 {
		fmt.Fprintf(&text, "  location /%d {\n%s", i, d.fields("    "))
		if d.chance(50) {
			fmt.Fprintf(&text, "    if ($arg_if) {\n%s    %s}\n", d.fields("      "), d.maybe(60, d.answer()))
		}
		if d.chance(30) {
			fmt.Fprintf(&text, "    location /%d/n {\n%s      %s\n    }\n", i, d.fields("      "), d.answer())
		}
		fmt.Fprintf(&text, "    %s\n  }\n", d.answer())
	}
	p.http = text.String() + "  location /f/ {\n" + d.fields("    ") + "  }\n  location @gone {\n" + d.fields("    ") + "    return 200 gone;\n  }\n}\n"
	for range 100 {
		uri := d.of("/f/", "/f/a.txt", "/f/b.html", "/f/nope", "/f", "/x") + d.maybe(50, d.of("?e=1", "?e=2&if=1", "?if=1", "?e=3", "?e=4", "?e=5", "?e=6", "?e=7", "?e=8"))
		if d.chance(70) {
			uri = fmt.Sprintf("/%d%s", d.IntN(6), uri)
		}
		q := request(d.mostly("GET", 20, []string{"HEAD", "POST", "OPTIONS"})+" "+uri, d.of("X: a", "Range: bytes=0-0", "If-Modified-Since: Tue, 02 Jan 2024 03:04:05 GMT",
			"TE: trailers", `If-Match: "x"`, "Range: bytes=9-"))
		p.asks = append(p.asks, q)
	}
	return p
}

// fields are directives of the headers module, none of them twice where that is an error.
func (d *dice) fields(indent string) string {
	var text strings.Builder
	for range d.IntN(4) {
		fmt.Fprintf(&text, "%sadd_header %s %s%s;\n", indent, d.of("X-A", "X-B", "x-a", "Cache-Control", "Last-Modified", "ETag", "Content-Type", "Vary", "Link", "Server", "Date2",
			"Set-Cookie", "Content-Language", "Accept-Ranges", "Location2"), d.fieldValue(), d.maybe(40, " always"))
	}
	if d.chance(25) {
		fmt.Fprintf(&text, "%sadd_trailer %s %s%s;\n", indent, d.of("X-T", "X-U"), d.fieldValue(), d.maybe(40, " always"))
	}
	if d.chance(40) {
		fmt.Fprintf(&text, "%sexpires %s;\n", indent, d.of("off", "epoch", "max", "0", "1h", "-1h", "30d", "$when", "-1", "1m30s"))
	}
	return text.String()
}

func (d *dice) fieldValue() string {
	return d.of("a", `""`, "$arg_e", `"$uri a"`, "$sent_http_content_type", "$status", `"public, max-age=5"`, "$http_x", `"Tue, 02 Jan 2024 03:04:00 GMT"`, `'"tag"'`, `"a; b=c"`)
}

// answer is how a location answers.
func (d *dice) answer() string {
	return d.of("return 200 text;", "return 200;", "return 201 text;", "return 204;", "return 301 /to;", "return 302 /to;", "return 304;", "return 403;", "return 404 text;",
		"return 410;", "return 418;", "return 500;", "root ROOT;", "root ROOT;", "rewrite ^ /f/a.txt last;", "rewrite ^ /f/a.txt break;", "return 206 x;",
		"return 303 /x;", "return 307 /x;", "return 503 x;")
}
