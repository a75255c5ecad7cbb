package parser

import (
	"fmt"
	"strings"
	"testing"
)

// largeConf has 10,000 server blocks, 60,000 directives.
func largeConf() []byte {
	var b strings.Builder
	b.WriteString("events {}\nhttp {\n")
	for i := range 10000 {
		fmt.Fprintf(&b, `    server {
        listen 127.0.0.1:%d;
        server_name www.example%d.com "example%d.com";   # a comment
        location ~ ^/(images|static)/[^/]+\.(png|jpg)$ {
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_pass http://backend%d$request_uri;
        }
    }
`, 1024+i, i, i, i)
	}
	b.WriteString("}\n")
	return []byte(b.String())
}

// BenchmarkParse takes 180 to 200 ms on a 2-core machine, more than half of it in participle.
func BenchmarkParse(b *testing.B) {
	src := largeConf()
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if root := Parse("nginx.conf", src); root.CloseLine == 0 {
			b.Fatal("not parsed")
		}
	}
}
