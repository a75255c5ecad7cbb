package differential

import (
	"fmt"
	"strings"
)

// pages is how many pages of SSI there are. Each includes only those after it, so that no circle needs to be broken.
const pages = 8

// ssiPlan: pages of commands, right ones and wrong ones.
func ssiPlan(d *dice) *plan {
	p := &plan{flaws: `zero size buf|exited on signal 11`, files: map[string]string{"plain.txt": "plain\n", "empty.html": ""}}
	for i := range pages {
		p.files[fmt.Sprintf("p%d.html", i)] = d.page(i, 3)
	}
	p.http = "types { text/html html; text/plain txt; }\nserver {\n  listen 127.0.0.1:8080; root ROOT; ssi on;\n" +
		d.maybe(30, "  ssi_silent_errors on;\n") + d.maybe(30, "  ssi_types text/plain;\n") + d.maybe(30, "  ssi_last_modified on;\n") +
		d.maybe(30, "  output_buffers 1 "+d.of("7", "16", "64")+"; sendfile off;\n") + d.maybe(20, "  ssi_value_length 16;\n") + d.maybe(20, "  subrequest_output_buffer_size 32;\n") + `
  set $v "server"; set $w "<&\"é>";
  location /nossi/ { ssi off; alias ROOT/; }
  location /up/ { proxy_pass http://127.0.0.1:8080/nossi/; proxy_http_version 1.1; proxy_set_header Connection close; proxy_buffer_size 1k; }
  location /code/403 { return 403; }
  location /code/204 { return 204; }
  location /code/200 { return 200 "<!--# echo var='v' -->[$arg_a|$query_string|$uri]"; }
  location /to { return 302 /p7.html; }
}
`
	for range 30 {
		p.asks = append(p.asks, request(d.mostly("GET", 10, []string{"HEAD"})+" /"+d.maybe(20, "up/")+fmt.Sprintf("p%d.html", d.IntN(pages))+d.maybe(40, d.of("?a=b", "?a=%3Cx%3E", "?v=1", "?a=")), "X-Y: <z>"))
	}
	return p
}

// page is the text of page i, with conditions so deep in each other.
func (d *dice) page(i, depth int) string {
	return d.several(1, 3*depth, "", func() string {
		return d.call(
			func() string {
				return d.of("text ", "\n", "<b>", "<!-- no -->", "<", "<!", "<!-", "<!--", "--", "-->", "é", "<!<!--# echo var='v' -->", "#", "<!-- # echo -->", "<<!--# set var='v' value='x' -->")
			},
			func() string { return d.command(i) }, func() string { return d.command(i) }, func() string { return d.command(i) },
			func() string {
				if depth == 1 {
					return d.ssiIf()
				}
				return d.ssiIf() + d.page(i, depth-1) + d.maybe(40, d.of("<!--# else -->", "<!--# elif expr=\"$v\" -->")+d.page(i, depth-1)) + d.mostly("<!--# endif -->", 4, []string{""})
			},
			func() string {
				return "<!--# block name=\"" + d.of("one", "two") + "\" -->" + d.of("stub ", "", "<!--# echo var=\"v\" -->") + d.mostly("<!--# endblock -->", 4, []string{""})
			},
			func() string { return d.brokenCommand() })
	})
}

func (d *dice) ssiIf() string {
	return "<!--# if expr=\"" + d.call(
		func() string { return d.of("$v", "$none", "$arg_a", "", "x", "$http_x_y") },
		func() string {
			return d.of("$v", "$arg_a", "x") + d.of(" = ", "=", " != ") + d.of("server", "b", "", "$v", "/^s/", "/(.)(?<tail>.*)/", "/[/", "/x", "'b'", "\\$v")
		}) + "\" -->"
}

func (d *dice) command(i int) string {
	target := func() string {
		next := d.between(min(i+1, pages), pages)
		if next == pages {
			return d.of("plain.txt", "empty.html", "nope.html", "up/plain.txt", "code/403", "code/204", "code/200?a=$v", "to", "")
		}
		return fmt.Sprintf("p%d.html%s", next, d.maybe(20, "?a=$v"))
	}
	return "<!--#" + d.maybe(80, " ") + d.call(
		func() string {
			return "include " + d.of("virtual=\"/", "virtual=\"/", "file=\"", "virtual=\"") + target() + "\"" + d.maybe(25, " wait=\""+d.of("yes", "no", "x")+"\"") +
				d.maybe(20, " stub=\""+d.of("one", "two", "none")+"\"") + d.maybe(10, " set=\""+d.of("v", "got")+"\"")
		},
		func() string {
			return "echo var=\"" + d.of("v", "w", "none", "got", "uri", "arg_a", "http_x_y", "1", "tail", "query_string", "document_uri") + "\"" + d.maybe(30, " encoding=\""+d.of("none", "url", "entity", "x")+"\"") +
				d.maybe(30, " default=\""+d.of("", "d", "<&>")+"\"")
		},
		func() string {
			return "set var=\"" + d.of("v", "w", "x") + "\" value=\"" + d.of("", "b", "$v$w", "$uri", "a b", "'", "$arg_a", "${v}x", "\\$v", "long long long long") + "\""
		},
		func() string { return "config errmsg=\"" + d.of("oops", "", "<!--") + "\"" },
		func() string { return "config timefmt=\"%Y\"" },
	) + d.maybe(80, " ") + "-->"
}

func (d *dice) brokenCommand() string {
	return d.of("<!--# nosuch -->", "<!--# echo -->", "<!--# echo var=v -->", "<!--# echo var=\"v -->", "<!--# include -->", "<!--# include virtual=\"/plain.txt\" file=\"x\" -->", "<!--# -->", "<!--#-->",
		"<!--# echo var='v' ->", "<!--# echo var=\"v\" nosuch=\"x\" -->", "<!--# set var=\"v\" -->", "<!--# else -->", "<!--# endif -->", "<!--# endblock -->", "<!--# if expr=\"$v\" x=\"\" -->",
		"<!--# echo var = \"v\" -->", "<!--# echo\tvar=\"v\"\n-->", "<!--# ECHO var=\"v\" -->", "<!--# echo var=\"\" -->", "<!--# "+strings.Repeat("c", 40)+" -->",
		"<!--# echo var=\""+strings.Repeat("v", 70)+"\" -->", "<!--# block name=\"\" -->x<!--# endblock -->", "<!--# include file=\"../x\" -->", "<!--# include virtual=\"/a\\\"b\" -->",
		"<!--# "+strings.Repeat("p", 20)+" "+strings.Repeat("q", 20)+"=\"\" -->")
}
