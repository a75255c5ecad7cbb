package differential

import "fmt"

// logPlan: what log_format makes of odd bytes.
func logPlan(d *dice) *plan {
	const fields = `$arg_id|$request|$request_uri|$uri|$args|$http_x|$cookie_a|$remote_user|$status|$body_bytes_sent|$bytes_sent|$http_none|$sent_http_x_y|$request_method|$request_length|$host|$scheme|$server_protocol|$upstream_status|$connection_requests|$pipe|$gzip_ratio|$request_completion`
	p := &plan{logs: []string{"logs/default.log", "logs/json.log", "logs/none.log", "logs/if.log"}}
	p.http = "log_format d '" + fields + "';\nlog_format j escape=json '" + fields + "';\nlog_format n escape=none '$arg_id|$request|$http_x|$uri';\n" + `
map $arg_id $never { default always; }
server { listen 127.0.0.1:8080;
    access_log logs/default.log d; access_log logs/json.log j; access_log logs/none.log n; access_log logs/if.log d if=$never;
    location / { return 200 "$uri"; }
    location /e { add_header X-Y $http_x; return 404; }
    location /up { proxy_pass http://127.0.0.1:8081/; }
    location /gone { return 444; }
}
server { listen 127.0.0.1:8081; access_log off; location / { return 201 up; } }
`
	value := func() string {
		return d.several(0, 6, "", func() string {
			return d.of("a", " ", "\"", "\\", "\x01", "\x1f", "\x7f", "\x80", "\xff", "é", "€", "\t", "\b", "'", "/", "<", "%22", "\x0b", "😀", "\xe2\x82", "$x", "\x0c")
		})
	}
	for i := range 80 {
		uri := d.of("/", "/e", "/up", "/gone", "/nope/") + d.several(0, 3, "", func() string {
			return d.of("a", "%22", "%5c", "%01", "%7f", "%80", "%c3%a9", "\xc3\xa9", "\"", "\\", "%0a", "<", "\xff", "%ff", "é")
		})
		p.asks = append(p.asks, request(fmt.Sprintf("%s %s?id=%d&%s", d.mostly("GET", 10, []string{"HEAD", "POST"}), uri, 100+i, d.of("", "\"", "\\", "%22", "é", "\xff")),
			"X: "+value(), "Cookie: a="+d.of("", "b", "\"c\"", "é", "\\"), "Authorization: Basic "+d.of("dTpw", "w6k6eA==", "Inw6cA==", "x")))
	}
	return p
}
