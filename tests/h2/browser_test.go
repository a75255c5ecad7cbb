package h2

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestBrowser: a browser loads a page with fifty assets over one connection of
// HTTP/2. MOONGATE_SCREENSHOT names a file for what it shows.
func TestBrowser(t *testing.T) {
	t.Parallel()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs chromium")
	}
	const assets = 50
	var page, files strings.Builder
	for i := range assets {
		fmt.Fprintf(&page, "<img src=\"/a%d.svg\" width=60 height=60>\n", i)
		fmt.Fprintf(&files, "-- html/a%d.svg --\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 10 10\"><rect width=\"10\" height=\"10\" fill=\"hsl(%d,80%%,50%%)\"/></svg>\n",
			i, i*360/assets)
	}
	s := start(t, `a page with many assets

needs: certificate
-- http.conf --
http2 on;
types { text/html html; image/svg+xml svg; text/css css; }
log_format proto '$server_protocol $connection $status $uri';
server {
    listen 127.0.0.1:8080;
    listen 127.0.0.1:8081 ssl;
    access_log logs/page.log proto;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    location / { root html; }
}
-- html/index.html --
<!doctype html><title>page</title><link rel=stylesheet href=/style.css><h1>HTTP/2</h1>
`+page.String()+`
-- html/style.css --
body { background: #eef; font-family: sans-serif }
-- html/favicon.ico --
`+files.String())
	shot := os.Getenv("MOONGATE_SCREENSHOT")
	if shot == "" {
		shot = filepath.Join(t.TempDir(), "page.png")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors",
		"--user-data-dir="+t.TempDir(), "--window-size=800,600", "--screenshot="+shot, "https://"+s.Addr(8081)+"/").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.AwaitFile(t, "logs/page.log", `a49\.svg`)
	log, err := s.File("logs/page.log")
	if err != nil {
		t.Fatal(err)
	}
	connections := map[string]bool{}
	images := regexp.MustCompile(`(?m)^HTTP/2\.0 (\d+) 200 /a\d+\.svg$`).FindAllStringSubmatch(log, -1)
	for _, m := range images {
		connections[m[1]] = true
	}
	if len(images) != assets || len(connections) != 1 {
		t.Errorf("%d images over %d connections\n%s", len(images), len(connections), log)
	}
}
