package differential

import (
	"fmt"
	"strings"
)

// errorsPlan: error_page, try_files, named and internal locations that lead to each other.
func errorsPlan(d *dice) *plan {
	p := &plan{files: map[string]string{"a.html": "a\n", "d/index.html": "index\n", "d/b": "b\n", "50x.html": "sorry\n", "e/": ""}}
	pages := func(indent string) string {
		var text strings.Builder
		for range d.IntN(3) {
			fmt.Fprintf(&text, "%serror_page %s%s %s;\n", indent, d.several(1, 2, " ", func() string {
				return d.of("400", "401", "403", "404", "404", "405", "410", "413", "418", "500", "502", "503", "301", "302", "304", "416", "494", "497")
			}), d.of("", "", " =", " =200", " =404", " =500", " =302", " =301", " =204", " =444", " =304"),
				d.of("/a.html", "/50x.html", "/nope", "@n0", "@n1", "@n2", "/2/x", "/3", "/int/a", "http://other.test/x", "/d/?a=$arg_a", "/$uri", "@missing", "/4?x=1", "/d"))
		}
		return text.String() + d.maybe(30, indent+"recursive_error_pages "+d.of("on", "off")+";\n") + d.maybe(10, indent+"log_not_found off;\n")
	}
	answer := func(indent string) string {
		return indent + d.call(
			func() string {
				return "return " + d.of("200 \"$uri $status\"", "403", "404", "404", "405", "410", "418", "500", "502", "503", "301 /x", "302 /y", "400", "444", "416", "494", "497", "599", "499", "204")
			},
			func() string {
				tries := d.several(1, 3, " ", func() string {
					return d.of("$uri", "$uri/", "/a.html", "/d", "/d/", "/d/b", "/nope", "$uri.html", "/d/$arg_a", "$arg_a", "/e/", "\"\"", "/%41")
				})
				return "try_files " + tries + " " + d.of("=404", "=403", "=200", "=500", "=301", "@n0", "@n1", "@n2", "/2/x?$args", "/3", "$uri", "/a.html", "/int/x", "@missing", "/nope", "/d/")
			},
			func() string {
				return "rewrite ^ " + d.of("/2/x", "/3", "/a.html", "/int/y", "/nope") + d.of(" last", " break", " last")
			},
			func() string {
				return d.of("root ROOT", "deny all", "index b a.html", "client_max_body_size 1", "limit_except GET { deny all; }", "auth_basic x")
			},
			func() string {
				return "proxy_pass http://127.0.0.1:8081; proxy_intercept_errors " + d.of("on", "off") + "; proxy_http_version 1.1; proxy_set_header Connection close"
			},
		)
	}
	end := func(a string) string {
		if strings.HasSuffix(a, "}") {
			return a + "\n"
		}
		return a + ";\n"
	}
	var text strings.Builder
	text.WriteString("types { text/html html; }\nserver {\n  listen 127.0.0.1:8080; root ROOT;\n" + pages("  "))
	for _, name := range []string{"/0", "/1", "/2", "/3", "= /4", "/int/", "@n0", "@n1", "@n2", "~ ^/5/(.*)"} {
		internal := ""
		if name == "/int/" || d.chance(8) {
			internal = "    internal;\n"
		}
		fmt.Fprintf(&text, "  location %s {\n%s%s%s  }\n", name, internal, pages("    "), end(answer("    ")))
	}
	text.WriteString("}\nserver { listen 127.0.0.1:8081; location / { return 404 up; } location /0/5 { return 500 up; } location /1/3 { return 302 /z; } location /2 { return 200 up; } }\n")
	p.http = text.String()
	for range 80 {
		uri := d.of("/0", "/1", "/2", "/3", "/4", "/5/", "/", "/d", "/e", "/int", "/nope") + d.several(0, 2, "/", func() string { return d.of("/x", "/5", "/3", "/b", "", "/d", "/a.html") }) +
			d.maybe(40, d.of("?a=b", "?a=/d/b", "?a=", "?x"))
		fields := []string{"X: y"}
		line := d.mostly("GET", 25, []string{"HEAD", "POST", "PUT"})
		p.asks = append(p.asks, request(line+" "+uri, fields...))
	}
	return p
}
