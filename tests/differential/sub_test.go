package differential

import (
	"fmt"
	"strings"
)

// subPlan: several replacements in one pass over texts of few letters, whatever
// pieces they come in, beside the other filters that change a text.
func subPlan(d *dice) *plan {
	p := &plan{flaws: `zero size buf`, files: map[string]string{}}
	for i := range 8 {
		p.files[fmt.Sprintf("%d.html", i)] = d.letters(0, []int{3, 30, 300, 5000}[d.IntN(4)], "aabbABc<> ")
	}
	var text strings.Builder
	text.WriteString("types { text/html html; text/plain txt; }\nserver {\n  listen 127.0.0.1:8080; root ROOT;\n" + d.replacements("  "))
	for i := range 6 {
		small := "    sendfile off; output_buffers 1 " + d.of("1", "2", "5", "64") + ";\n"
		fmt.Fprintf(&text, "  location /%d/ {\n%s", i, d.replacements("    "))
		if d.chance(30) {
			fmt.Fprintf(&text, "    proxy_pass http://127.0.0.1:8081/; proxy_http_version 1.1; proxy_set_header Connection close;\n%s",
				d.maybe(30, "    proxy_buffering off;\n"))
		} else {
			fmt.Fprintf(&text, "    alias ROOT/;\n%s", d.of("", "    charset utf-8; source_charset koi8-r;\n", small, small, small)) // not both: nginx hangs
		}
		text.WriteString(d.maybe(20, "    add_before_body /plain; add_after_body /plain;\n") + d.maybe(20, "    gzip on; gzip_min_length 1;\n") + "  }\n")
	}
	p.http = "charset_map koi8-r utf-8 { 61 D091; 62 E282AC; }\n" + text.String() + "  location /plain { sub_filter none none; default_type text/html; return 200 \"aAbB\"; }\n}\n" +
		"server { listen 127.0.0.1:8081; root ROOT; sendfile off; output_buffers 1 " + d.of("1", "3", "100") + "; }\n"
	for range 60 {
		p.asks = append(p.asks, request(d.mostly("GET", 8, []string{"HEAD"})+fmt.Sprintf(" /%d/%d.html?a=%s", d.IntN(6), d.IntN(8), d.letters(0, 3, "abA")), d.of("X: Y", "Accept-Encoding: gzip", "Range: bytes=0-5")))
	}
	return p
}

func (d *dice) replacements(indent string) string {
	var text strings.Builder
	for range d.IntN(5) {
		match := d.mostly(d.letters(1, []int{1, 2, 3, 6}[d.IntN(4)], "abAB"), 15, []string{"$arg_a", "${arg_a}b", "<", "c$arg_a", "' '"})
		fmt.Fprintf(&text, "%ssub_filter %s %s;\n", indent, match, d.of(`""`, "x", `"[$arg_a]"`, "aab", "<$uri>", "long-long-long-text"))
	}
	return text.String() + d.maybe(60, indent+"sub_filter_once off;\n") + d.maybe(20, indent+"sub_filter_last_modified on;\n") + d.maybe(20, indent+"sub_filter_types text/plain;\n")
}
