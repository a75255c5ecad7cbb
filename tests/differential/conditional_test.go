package differential

import (
	"fmt"
	"strings"
	"time"
)

// conditionalPlan: If-*, Range and the modules that have a say in them.
func conditionalPlan(d *dice) *plan {
	p := &plan{files: map[string]string{"a.txt": strings.Repeat("0123456789", 10), "one.txt": "1", "empty.txt": "", "big.txt": strings.Repeat("x", 200000)}}
	const locations = `
    location /plain/ { alias ROOT/; }
    location /exact/ { alias ROOT/; if_modified_since exact; etag off; }
    location /before/ { alias ROOT/; if_modified_since before; }
    location /off/ { alias ROOT/; if_modified_since off; }
    location /few/ { alias ROOT/; max_ranges 1; }
    location /none/ { alias ROOT/; max_ranges 0; }
    location /zip/ { alias ROOT/; gzip on; gzip_min_length 1; }
    location /sub/ { alias ROOT/; sub_filter 1 one; sub_filter_types *; sub_filter_last_modified on; }
    location /add/ { alias ROOT/; add_header ETag '"own"'; add_header Last-Modified "Tue, 02 Jan 2024 03:04:00 GMT"; }
    location /return/ { return 200 "0123456789"; }
    location /slice/ { alias ROOT/; slice 7; output_buffers 1 10; sendfile off; }
    location /pass/ { proxy_pass http://127.0.0.1:8080/plain/; proxy_http_version 1.1; proxy_set_header Connection close; }
    location /pass_force/ { proxy_pass http://127.0.0.1:8080/none/; proxy_force_ranges on; proxy_set_header Range ""; }
`
	p.http = "types { text/plain txt; }\nserver { listen 127.0.0.1:8080; " + d.maybe(30, "sendfile on;") + locations + "}\n"
	etag := fmt.Sprintf(`"%x-%x"`, fileTime.Unix(), 100)
	moments := []func() string{
		func() string { return fileTime.Add(time.Duration(d.between(-1, 1)) * time.Second).Format(time.RFC850) },
		func() string { return fileTime.Add(time.Duration(d.between(-1, 1)) * time.Second).Format(time.ANSIC) },
		func() string {
			return d.of("Tue, 02 Jan 2024 03:04:05", "02 Jan 2024 03:04:05 GMT", "Tue, 2 Jan 2024 03:04:05 GMT", "Tue, 32 Jan 2024 03:04:05 GMT",
				"Tue, 02 Foo 2024 03:04:05 GMT", "Tue, 02 Jan 2024 24:04:05 GMT", "", "x", "Tue, 02 Jan 1960 03:04:05 GMT", "Thu, 29 Feb 2024 00:00:00 GMT",
				"Wed, 29 Feb 2023 00:00:00 GMT", "1704164645", "Tue, 02 Jan 99999 03:04:05 GMT", "Fri, 31 Dec 2199 23:59:59 GMT")
		},
	}
	usual := func() string {
		return fileTime.Add(time.Duration(d.between(-1, 1)) * time.Second).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	}
	moment := func() string { return d.call(append(moments, usual, usual, usual)...) }
	tag := func() string {
		return d.of(etag, etag, "W/"+etag, "*", `"x"`, `W/"x"`, strings.Trim(etag, `"`), `"own"`, `""`, `"`, "W/", "w/"+etag, "")
	}
	tags := func() string {
		return d.several(1, 3, d.of(", ", ",", " ", ",,", " , "), tag) + d.maybe(10, d.of(",", " ", ", ,"))
	}
	spec := func() string {
		n := func() string {
			return d.of("", "0", "1", "5", "9", "50", "98", "99", "100", "101", "199999", "9223372036854775807", "9223372036854775808", "99999999999999999999")
		}
		return d.maybe(5, " ") + n() + d.mostly("-", 4, []string{"", "--", " - ", "x", " -", "- "}) + n() + d.maybe(5, " ")
	}
	ranges := func() string {
		return d.mostly("bytes=", 6, []string{"bytes =", "Bytes=", "bytes= ", "bytes", "lines=", "=", "bytes=,"}) + d.several(1, d.between(1, 4), d.mostly(",", 10, []string{", ", ",,", ";"}), spec)
	}
	makers := []func() string{
		func() string { return "If-Modified-Since: " + moment() }, func() string { return "If-Unmodified-Since: " + moment() },
		func() string { return "If-None-Match: " + tags() }, func() string { return "If-Match: " + tags() },
		func() string { return "Range: " + ranges() },
		func() string { return "If-Range: " + d.call(moment, tag) },
		func() string { return "Accept-Encoding: gzip" },
	}
	for range 300 {
		var fields []string
		d.Shuffle(len(makers), func(i, j int) { makers[i], makers[j] = makers[j], makers[i] })
		for _, m := range makers[:d.between(1, 3)] {
			fields = append(fields, m())
		}
		place := d.of("plain", "plain", "plain", "exact", "before", "off", "few", "none", "zip", "sub", "add", "return", "slice", "pass", "pass_force")
		file := d.mostly("a.txt", 20, []string{"one.txt", "empty.txt", "big.txt", "nope"})
		p.asks = append(p.asks, request(d.mostly("GET", 15, []string{"HEAD", "POST", "GET"})+" /"+place+"/"+file, fields...))
	}
	return p
}
