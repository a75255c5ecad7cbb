package differential

import "fmt"

// autoindexPlan: listings of files with names of odd bytes, in every format.
func autoindexPlan(d *dice) *plan {
	p := &plan{files: map[string]string{"l/long-" + d.letters(60, 90, "ab") + ".txt": "", "l/sub/": "", "l/.hidden": "", "l/empty": ""}}
	odd := []byte(" !\"#$%&'()*+,;<=>?@[\\]^`{|}~\x01\x08\t\n\r\x1f\x7f\x80\xa0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xff:-_.aZ0")
	for i := range 60 {
		name := fmt.Sprintf("%02d", i)
		for range d.between(1, []int{3, 8, 60}[d.IntN(3)]) {
			n := d.IntN(len(odd))
			name += string(odd[n : n+1])
		}
		name += d.maybe(20, "é€😀")
		if d.chance(15) {
			name += "/"
		}
		p.files["l/"+name] = d.letters(0, []int{9, 1500}[d.IntN(2)], "x")
	}
	p.http = "server { listen 127.0.0.1:8080; autoindex on;\n"
	for i, format := range []string{"html", "json", "xml", "jsonp"} {
		for j, how := range []string{"", "autoindex_exact_size off;", "autoindex_localtime on;", "charset utf-8;", "default_type text/x; gzip on; gzip_min_length 1; gzip_types *;"} {
			p.http += fmt.Sprintf("location /%d%d/ { alias ROOT/l/; autoindex_format %s; %s }\n", i, j, format, how)
			for _, end := range []string{"", "?callback=f", "?callback=a.b%5B0%5D", "?callback=f()", "?callback="} {
				if end == "" || j == 0 {
					p.asks = append(p.asks, request(fmt.Sprintf("%s /%d%d/%s", d.mostly("GET", 10, []string{"HEAD", "POST"}), i, j, end), "Accept-Encoding: gzip"))
				}
			}
		}
	}
	p.http += "}\n"
	return p
}
