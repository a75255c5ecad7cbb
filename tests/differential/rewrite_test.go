package differential

import (
	"fmt"
	"strings"
)

// rewritePlan: chains of rewrite, if, set, return and break in servers and
// locations, with maps.
func rewritePlan(d *dice) *plan {
	p := &plan{files: map[string]string{"a/index.html": "a\n", "a/b.txt": "b\n", "st/x": "x\n", "index.html": "index\n"}}
	var text strings.Builder
	fmt.Fprintf(&text, "server_names_hash_bucket_size 64;\n")
	for i := range 3 {
		text.WriteString(d.oneMap(i))
	}
	fmt.Fprintf(&text, "server {\n  listen 127.0.0.1:8080; root ROOT; set $a \"\"; set $b 0; set $c x;\n%s%s", d.maybe(20, "  rewrite_log on;\n"), d.statements(1, d.between(0, 4)))
	for _, name := range []string{"/", "/a", "= /a/b", "^~ /st", "~ \\.txt$", "~* ^/A/(?<name>.)", "/c/d/", "~ ^/r(/.*)?$", "= /", "@named"} {
		if name != "/" && d.chance(30) {
			continue
		}
		if strings.HasPrefix(name, "~*") && !strings.Contains(text.String(), "<name>") {
			name = strings.Replace(name, "?<name>", "", 1)
		}
		fmt.Fprintf(&text, "  location %s {\n%s", name, d.statements(2, d.between(0, 5)))
		if d.chance(70) {
			text.WriteString("    return 200 \"" + name[:1] + " $uri|$args|$a|$b|$c|$request_uri|" + d.of("$1|$2", "$map0|$map1|$map2") + "\\n\";\n")
		}
		text.WriteString("  }\n")
	}
	p.http = text.String() + "}\n"
	for range 120 {
		p.asks = append(p.asks, request("GET "+d.requestURI(), d.of("X: a", "X: 1", "X: foo bar", "Cookie: k=v", "Referer: http://a.test/", "Y: y")))
	}
	return p
}

func (d *dice) requestURI() string {
	return "/" + d.several(0, 4, "/", func() string {
		return d.of("a", "b", "c", "d", "st", "x", "A", "b.txt", "r", "1", "é", "%20", "%3f", "%41", "")
	}) +
		d.maybe(50, "?"+d.several(0, 3, "&", func() string { return d.of("a=1", "b=x", "k=%20", "a", "q=%3f", "=") }))
}

// value is text with variables. Not with both captures and a map, whose regular
// expressions may replace what is captured: nginx takes the captures afterwards,
// and answers 500 when they are longer than what it had measured before.
func (d *dice) value() string {
	words := []string{"${a}", "${b}", "${c}", "${uri}", "${args}", "${arg_a}", "${http_x}", "${request_method}", "x", "1", "a b", "é", "${is_args}", "${cookie_k}",
		"${host}", "/a"}
	if d.chance(50) {
		words = append(words, "${map0}", "${map1}")
	} else {
		words = append(words, "$1", "$2")
	}
	return d.several(0, 3, d.of("", "-", "/"), func() string { return d.of(words...) })
}

func (d *dice) quoted() string { return `"` + d.value() + `"` }

var patterns = []string{`^/a(.*)$`, `^/(a|b)/(.*)`, `/b`, `^/c/(.)`, `^(/r)?/x`, `(\w+)$`, `^/$`, `.`, `^/st/(.*)$`, `[^/]+/(.*)\.txt`, `\.txt$`, `^/A`, `(?i)^/A`, `%20`, ` `,
	`^/(?:a|r)/(\d)?`, `é`, `nomatch`}

// statements are those of the rewrite module, in a block so deep.
func (d *dice) statements(depth, n int) string {
	indent := strings.Repeat("  ", depth)
	var text strings.Builder
	for range n {
		switch {
		case depth < 3 && d.chance(35):
			fmt.Fprintf(&text, "%sif (%s) {\n%s%s}\n", indent, d.condition(), d.statements(3, d.between(0, 3)), indent)
		case d.chance(45):
			fmt.Fprintf(&text, "%sset $%s %s;\n", indent, d.of("a", "b", "c"), d.quoted())
		case d.chance(70):
			fmt.Fprintf(&text, "%srewrite \"%s\" \"%s\"%s;\n", indent, d.of(patterns...), d.replacement(), d.of("", "", " last", " break", " redirect", " permanent"))
		case d.chance(40):
			fmt.Fprintf(&text, "%sbreak;\n", indent)
		default:
			fmt.Fprintf(&text, "%sreturn %s;\n", indent, d.call(
				func() string { return d.of("204", "403", "404", "410", "444", "500", "503", "200", "400", "418") },
				func() string { return d.of("200", "301", "302", "303", "307", "308", "403", "500") + " " + d.quoted() },
				func() string { return "http://$host/" + d.of("$a", "$1", "x") }))
		}
	}
	return text.String()
}

func (d *dice) replacement() string {
	return d.of("/", "/a", "/a/b", "/st/$1", "/$2/$1", "/c/d/$1", "/r/$a", "$uri", "/x.txt", "http://other.test/$1", "$scheme://$host/$1", "/$1$is_args$args", "/é b/$1",
		"/%41", "$1", "/${a}x", "/../$1", "//$1") + d.of("", "", "?", "?q=$1", "?$args", "?a=1&b=$2", "?q=$a?")
}

func (d *dice) condition() string {
	v := d.of("$a", "$b", "$c", "$uri", "$args", "$arg_a", "$http_x", "$map0", "$map1", "$request_method", "$http_referer")
	return d.call(
		func() string { return v },
		func() string {
			return v + d.of(" = ", " != ") + d.of("1", "x", "/a", `""`, `"a b"`, "GET", "$b", "foo")
		},
		func() string { return v + d.of(" ~ ", " ~* ", " !~ ", " !~* ") + `"` + d.of(patterns...) + `"` },
		func() string {
			return d.of("-f", "!-f", "-d", "!-d", "-e", "!-e", "-x", "!-x") + " " + d.of("ROOT$uri", "ROOT/a", "ROOT/a/b.txt", "$document_root$uri", `"ROOT/$1"`)
		})
}

// oneMap is a map of every kind of key.
func (d *dice) oneMap(i int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "map %s $map%d {\n", d.of("$uri", "$args", "$http_x", "$arg_a", "$a", `"$uri$args"`, "$host", "$map0", `"a.$http_x.test"`), i)
	if i == 0 {
		text.Reset()
		fmt.Fprintf(&text, "map %s $map0 {\n", d.of("$uri", "$args", "$http_x"))
	}
	host := d.chance(30)
	if host {
		text.WriteString("  hostnames;\n")
	}
	text.WriteString(d.maybe(20, "  volatile;\n") + d.maybe(60, "  default "+d.of("d", "$uri", `"d $1"`, `""`)+";\n"))
	keys := []string{"/a", "/a/b", "/", `""`, "1", "a", "foo", `"foo bar"`, "localhost", "a=1", `\default`, `~^/a(?<mapped>.*)`, `~*^/A`, `~/(.)$`, `"~ "`, "~a", "X", "a.a.test"}
	if host {
		keys = append(keys, "*.test", ".b.test", "a.*", "*.a.test", "a.a.*", ".localhost")
	}
	d.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for _, k := range keys[:d.between(0, 7)] {
		fmt.Fprintf(&text, "  %s %s;\n", k, d.of("v", "$1", "$uri", `"a $http_x"`, `""`, "1", "/a", "w$1w"))
	}
	return text.String() + "}\n"
}
