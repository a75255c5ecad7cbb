package wire

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDate(t *testing.T) {
	const want = 784111777
	for _, in := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
		"Sun Nov 06 08:49:37 1994",
		"x,06 Nov 1994 08:49:37",
		",   06 Noooops",
		"Sun, 06 Nxx 1994 08:49:37 CET and more",
	} {
		got, ok := ParseDate([]byte(in))
		if good := !strings.Contains(in, "oops"); ok != good || ok && got != want {
			t.Errorf("%q: %d, %v", in, got, ok)
		}
	}
	for _, in := range []string{
		"", "Sun", "784111777",
		"Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun, 06 Xov 1994 08:49:37 GMT",
		"Sun, 06 Nov 94 08:49:37 GMT",
		"Sun, 06+Nov+1994 08:49:37 GMT",
		"Sun, 06 Nov-1994 08:49:37 GMT",
		"Sun, 31 Nov 1994 08:49:37 GMT",
		"Tue, 29 Feb 1994 08:49:37 GMT",
		"Thu, 29 Feb 2100 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:60:00 GMT",
		"Sun, 06 Nov 1994 08:49:60 GMT",
		"Sun, 06 Nov 1994 08.49.37 GMT",
		"Sun Nov  6 08:49:37",
	} {
		if got, ok := ParseDate([]byte(in)); ok {
			t.Errorf("%q: %d", in, got)
		}
	}
	if got, ok := ParseDate([]byte("Thursday, 01-Jan-70 00:00:00")); !ok || got != 0 {
		t.Error(got, ok)
	}
	if got, ok := ParseDate([]byte("Wednesday, 01-Jan-69 00:00:00")); !ok || got != 3124224000 {
		t.Error(got, ok)
	}
}

func TestAppendDate(t *testing.T) {
	if got := string(AppendDate(nil, 784111777)); got != "Sun, 06 Nov 1994 08:49:37 GMT" {
		t.Error(got)
	}
	if got := string(AppendCookieDate(nil, 784111777)); got != "Sun, 06-Nov-94 08:49:37 GMT" {
		t.Error(got)
	}
	if got := string(AppendCookieDate(nil, 1<<32)); got != "Sun, 07-Feb-2106 06:28:16 GMT" {
		t.Error(got)
	}
}

func FuzzDate(f *testing.F) {
	f.Add([]byte("Sun, 06 Nov 1994 08:49:37 GMT"), int64(0))
	f.Add([]byte("Sun Nov  6 08:49:37 1994"), int64(1<<33))
	f.Add([]byte("Sunday, 06-Nov-94 08:49:37"), int64(-1))
	f.Fuzz(func(t *testing.T, in []byte, unix int64) {
		ParseDate(in)
		if y := time.Unix(unix, 0).UTC().Year(); y < 0 || y > 9999 {
			return
		}
		if got, ok := ParseDate(AppendDate(nil, unix)); !ok || got != unix {
			t.Fatalf("%s: %d, %v", AppendDate(nil, unix), got, ok)
		}
	})
}

func TestEscape(t *testing.T) {
	const in = "/a b?c=d&e;f+g#h%i\"'<>~{}\x00\x7f\xff@"
	for kind, want := range map[EscapeKind]string{
		EscapeURI:          `/a%20b%3Fc=d&e;f+g%23h%25i%22'%3C%3E~%7B%7D%00%7F%FF@`,
		EscapeArgs:         `/a%20b%3Fc=d%26e%3Bf%2Bg%23h%25i%22'%3C%3E~%7B%7D%00%7F%FF@`,
		EscapeURIComponent: `%2Fa%20b%3Fc%3Dd%26e%3Bf%2Bg%23h%25i%22%27%3C%3E~%7B%7D%00%7F%FF%40`,
		EscapeHTML:         `/a%20b?c=d&e;f+g%23h%25i%22%27%3C%3E~%7B%7D%00%7F%FF@`,
		EscapeRefresh:      `/a%20b?c=d&e;f+g#h%i%22%27%3C%3E%7E%7B}%00%7F%FF@`,
		EscapeMemcached:    "/a%20b?c=d&e;f+g#h%25i\"'<>~{}%00\x7f\xff@",
		EscapeMailAuth:     "/a%20b?c=d&e;f+g#h%25i\"'<>~{}%00\x7f\xff@",
		EscapeMailXtext:    "/a+20b?c+3Dd&e;f+2Bg#h%i\"'<>~{}+00+7F+FF@",
	} {
		if got := string(AppendEscaped(nil, in, kind)); got != want {
			t.Errorf("%d:\n got %q\nwant %q", kind, got, want)
		}
		if got := CountEscaped(in, kind); got != (len(want)-len(in))/2 {
			t.Errorf("%d: %d to escape", kind, got)
		}
	}
	if got := string(AppendHTML(nil, `<a b="c">&`)); got != "&lt;a b=&quot;c&quot;&gt;&amp;" {
		t.Error(got)
	}
	if got := string(AppendJSON(nil, "a\"\\\b\t\n\v\f\r\x01\x1f\xff")); got != "a\\\"\\\\\\b\\t\\n\\u000B\\f\\r\\u0001\\u001F\xff" {
		t.Error(got)
	}
	if got := string(AppendLog(nil, "a \"\\\n\x7f\xff'", true)); got != `a \x22\x5C\x0A\x7F\xFF'` {
		t.Error(got)
	}
}

func TestUnescape(t *testing.T) {
	tests := []struct {
		in            string
		all, uri, red string
		rest          string // after the "?", for uri and red
	}{
		{"a%20b", "a b", "a b", "a%20b", ""},
		{"a%2Fb?c%2F", "a/b?c/", "a/b?", "a/b?", "c%2F"},
		{"a%3fb", "a?b", "a?", "a?", "b"},
		{"%gx%1gy%", "gxy", "gxy", "gxy", ""},
		{"%23%25%7f%4", "#%\x7f", "#%\x7f", "%23%25%7f", ""},
	}
	for _, tt := range tests {
		for kind, want := range map[UnescapeKind]string{UnescapeAll: tt.all, UnescapeURI: tt.uri, UnescapeRedirect: tt.red} {
			wantRest := tt.rest
			if kind == UnescapeAll {
				wantRest = ""
			}
			in := []byte(tt.in)
			got, rest := Unescape(nil, in, kind)
			if string(got) != want || string(rest) != wantRest {
				t.Errorf("%q as %d: %q, %q", tt.in, kind, got, rest)
			}
			if got, _ = Unescape(in[:0], in, kind); string(got) != want {
				t.Errorf("%q as %d in place: %q", tt.in, kind, got)
			}
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add([]byte("a b%41?c"), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, k uint8) {
		kind := EscapeKind(k % 8)
		out := AppendEscaped(nil, in, kind)
		if len(out) != len(in)+2*CountEscaped(in, kind) {
			t.Fatalf("%q", out)
		}
		if kind != EscapeMailXtext && kind != EscapeRefresh {
			if back, _ := Unescape(nil, out, UnescapeAll); !bytes.Equal(back, in) {
				t.Fatalf("%q became %q", in, back)
			}
		}
		for _, u := range []UnescapeKind{UnescapeAll, UnescapeURI, UnescapeRedirect} {
			want, _ := Unescape(nil, in, u)
			same := bytes.Clone(in)
			if got, _ := Unescape(same[:0], same, u); !bytes.Equal(got, want) {
				t.Fatalf("in place %q, apart %q", got, want)
			}
		}
		for _, c := range AppendLog(nil, in, true) {
			if c < ' ' || c > '~' || c == '"' {
				t.Fatalf("%q in the log", c)
			}
		}
	})
}

func TestParseHost(t *testing.T) {
	tests := []struct {
		in, want string
		port     uint16
	}{
		{"example.com", "example.com", 0},
		{"Example.COM.:8080", "example.com", 8080},
		{"a:", "a", 0},
		{"a:00080", "a", 80},
		{"[::FFFF]:1", "[::ffff]", 1},
		{"[v1.a:b]", "[v1.a:b]", 0},
		{"a_b%20!$&'()*+,;=~", "a_b%20!$&'()*+,;=~", 0},
		{".a", ".a", 0},
		{"", "", 0}, {".", "", 0}, {":80", "", 0}, {"a..b", "", 0}, {"a..", "", 0}, {"a/b", "", 0}, {"a@b", "", 0},
		{"a b", "", 0}, {"a\x00", "", 0}, {"\xff", "", 0}, {"a:65536", "", 0}, {"a:8x", "", 0}, {"a:1:2", "", 0},
		{"[::1", "", 0}, {"[::1]x", "", 0}, {"[::1%25e]", "", 0}, {"::1", "", 0}, {"a[", "", 0}, {"[a]]", "", 0},
	}
	for _, tt := range tests {
		in := []byte(tt.in)
		got, port, ok := ParseHost(nil, in)
		if ok != (tt.want != "") || string(got) != tt.want || port != tt.port {
			t.Errorf("%q: %q, %d, %v", tt.in, got, port, ok)
		}
		if string(in) != tt.in {
			t.Errorf("%q was changed", tt.in)
		}
	}
}

func TestLists(t *testing.T) {
	tests := []struct{ fn, line, name, want string }{
		{"cookie", "a=1; B = 2 ;c=", "b", "2 "},
		{"cookie", "a=1; B = 2 ;c=", "c", ""},
		{"cookie", "xa=1; a=2", "a", "2"},
		{"cookie", "ab=1", "a", "-"},
		{"cookie", "a; a=1", "a", "-"},
		{"cookie", "a;b;a=1", "a", "1"},
		{"cookie", "", "a", "-"},
		{"list", "no-cache, max-age=5,x=y", "max-age", "5"},
		{"list", "a=b;c, d=e", "a", "b;c"},
		{"set-cookie", "a=1; Path=/", "a", "1"},
		{"set-cookie", "a=1; b=2", "b", "-"},
		{"set-cookie", "a", "a", "-"},
		{"arg", "a=1&B=2&c", "b", "2"},
		{"arg", "ab=1&a=", "a", ""},
		{"arg", "a&a=1&a=2", "a", "1"},
		{"arg", "xa=1", "a", "-"},
		{"arg", "a=b=c&d", "a", "b=c"},
		{"arg", "a", "a", "-"},
		{"arg", "=1", "", "-"},
	}
	for _, tt := range tests {
		var got []byte
		var ok bool
		switch line := []byte(tt.line); tt.fn {
		case "cookie":
			got, ok = Cookie(line, tt.name)
		case "list":
			got, ok = ListValue(line, tt.name, ',')
		case "set-cookie":
			got, ok = SetCookie(line, tt.name)
		case "arg":
			got, ok = Arg(line, []byte(tt.name))
		}
		if !ok {
			got = []byte("-")
		}
		if string(got) != tt.want {
			t.Errorf("%s %q of %q: %q", tt.fn, tt.name, tt.line, got)
		}
	}
	if !ListHas([]byte("x, Upgrade ,y"), "upgrade", ',') || ListHas([]byte("upgrade=1"), "upgrade", ',') ||
		!HasToken([]byte("Keep-Alive"), "keep-alive") || HasToken([]byte("clos"), "close") {
		t.Error("tokens")
	}
}

func TestMatchETag(t *testing.T) {
	tests := []struct {
		list, etag   string
		strong, weak bool
	}{
		{`*`, ``, true, true},
		{`"a"`, `"a"`, true, true},
		{`"x" , "a"`, `"a"`, true, true},
		{`W/"a"`, `"a"`, false, true},
		{`"a"`, `W/"a"`, false, true},
		{`W/"a"`, `W/"a"`, true, true},
		{`"a"b, "c"`, `"a"`, false, false},
		{`"ab"`, `"a"`, false, false},
		{`"b"`, ``, false, false},
	}
	for _, tt := range tests {
		var etag []byte
		if tt.etag != "" {
			etag = []byte(tt.etag)
		}
		if MatchETag([]byte(tt.list), etag, false) != tt.strong || MatchETag([]byte(tt.list), etag, true) != tt.weak {
			t.Errorf("%s and %s", tt.list, tt.etag)
		}
	}
}

func TestAcceptsCoding(t *testing.T) {
	for in, want := range map[string]bool{
		"gzip": true, "GZip": true, "deflate, gzip": true, "deflate,gzip;q=0.5": true, "gzip ; q=1.000": true,
		"gzip;": true, "xgzip, gzip": true, "gzip;q=1,x": true,
		"": false, "x-gzip": false, "gzipx": false, "gzip;q=0": false, "gzip;q=0.000": false, "gzip;q=": false,
		"gzip;x=1": false, "gzip;q=1.001": false, "gzip;q=0.0001": false, "gzip;q=2": false, "*": false, "gzip;q=0x": false,
	} {
		if got := AcceptsCoding([]byte(in), "gzip"); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}

func TestCacheControl(t *testing.T) {
	none := CacheControl{MaxAge: -1, StaleWhileRevalidate: -1, StaleIfError: -1}
	with := func(f func(*CacheControl)) CacheControl { c := none; f(&c); return c }
	tests := []struct {
		in   string
		ext  bool
		want CacheControl
	}{
		{"public", false, none},
		{"max-age=60", false, with(func(c *CacheControl) { c.MaxAge = 60 })},
		{"Max-Age=60, S-MaxAge=30", false, with(func(c *CacheControl) { c.MaxAge = 30 })},
		{"max-age=0", false, with(func(c *CacheControl) { c.NoCache = true })},
		{"max-age=", false, with(func(c *CacheControl) { c.NoCache = true })},
		{"max-age=6x", false, with(func(c *CacheControl) { c.Invalid = true })},
		{"max-age=99999999999999999999", false, with(func(c *CacheControl) { c.MaxAge = 1<<63 - 1 })},
		{"no-store, max-age=5", false, with(func(c *CacheControl) { c.NoCache = true })},
		{"Private", false, with(func(c *CacheControl) { c.NoCache = true })},
		{"no-cache, stale-if-error=5", true, with(func(c *CacheControl) { c.StaleIfError = 5 })},
		{"stale-while-revalidate=9", false, with(func(c *CacheControl) { c.StaleWhileRevalidate, c.StaleIfError = 9, 9 })},
		{"stale-while-revalidate=9; stale-if-error=x", false,
			with(func(c *CacheControl) { c.StaleWhileRevalidate, c.StaleIfError, c.Invalid = 9, 9, true })},
	}
	for _, tt := range tests {
		if got := ParseCacheControl([]byte(tt.in), tt.ext); got != tt.want {
			t.Errorf("%q: %+v", tt.in, got)
		}
	}
}

func TestParseLength(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "0012": 12, "9223372036854775807": 1<<63 - 1,
		"": -1, "9223372036854775808": -1, "92233720368547758070": -1, "+1": -1, "-1": -1, "1 ": -1, "0x1": -1, "1,1": -1,
	} {
		got, ok := ParseLength(in)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d", in, got)
		}
	}
}

func FuzzValues(f *testing.F) {
	f.Add([]byte("a=b; c=d"), "c")
	f.Add([]byte("Example.com.:80"), "gzip")
	f.Add([]byte("W/\"a\", gzip;q=0.5, max-age=5"), "gzip")
	f.Fuzz(func(t *testing.T, in []byte, name string) {
		want := bytes.Clone(in)
		Cookie(in, name)
		SetCookie(in, name)
		ListHas(in, name, ',')
		Arg(in, name)
		MatchETag(in, []byte(name), true)
		AcceptsCoding(in, name)
		ParseCacheControl(in, false)
		if host, _, ok := ParseHost(nil, in); ok {
			if again, _, ok := ParseHost(nil, host); len(host) == 0 || ok && !bytes.Equal(again, bytes.TrimSuffix(host, []byte("."))) {
				t.Fatalf("%q, then %q", host, again)
			}
		}
		if !bytes.Equal(in, want) {
			t.Fatal("input was changed")
		}
	})
}

func TestTextAllocations(t *testing.T) {
	line := []byte("a=b; name=value; max-age=5, gzip;q=0.5")
	host := []byte("Example.com:80")
	date := []byte("Sun, 06 Nov 1994 08:49:37 GMT")
	out := make([]byte, 0, 500)
	if n := testing.AllocsPerRun(100, func() {
		Cookie(line, "name")
		Arg(line, "name")
		ListHas(line, "name", ',')
		HasToken(line, "close")
		MatchETag(line, host, true)
		AcceptsCoding(line, "gzip")
		ParseCacheControl(line, false)
		ParseHost(out, host)
		ParseDate(date)
		ParseLength(date)
		LookupMethod(host)
		Unescape(out[:0], line, UnescapeURI)
		out = AppendCookieDate(AppendDate(out[:0], 784111777), 784111777)
		out = AppendEscaped(out, line, EscapeArgs)
		out = AppendLog(AppendJSON(AppendHTML(out, "<x>"), "\n"), line, true)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestCookieProperty: each cookie of a line is found by its name in any case, the first one of equal names.
func TestCookieProperty(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		names := rapid.SliceOfN(rapid.StringMatching(`[A-Za-z0-9!#$%&'*+.^_-]{1,8}`), 1, 6).Draw(r, "names")
		first := map[string]string{}
		var line []string
		for _, name := range names {
			value := rapid.StringMatching(`[A-Za-z0-9=!#$%&'()*+./:<>?@^_-]{0,8}`).Draw(r, "value")
			if _, ok := first[strings.ToLower(name)]; !ok {
				first[strings.ToLower(name)] = value
			}
			line = append(line, name+"="+value)
		}
		text := strings.Join(line, rapid.SampledFrom([]string{"; ", ";", ";  "}).Draw(r, "separator"))
		for name, value := range first {
			if got, ok := Cookie([]byte(text), strings.ToUpper(name)); !ok || string(got) != value {
				r.Fatalf("%s of %q is %q, %t", name, text, got, ok)
			}
		}
	})
}
