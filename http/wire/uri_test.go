package wire

import (
	"bytes"
	"testing"
)

func TestComplexURI(t *testing.T) {
	tests := []struct {
		in              string
		path, args, ext string
	}{
		{"/", "/", "", ""},
		{"//a///b", "/a/b", "", ""},
		{"/a/./b/.", "/a/b/", "", ""},
		{"/a/../b/..", "/", "", ""},
		{"/a/b/../../c.d", "/c.d", "", "d"},
		{"/a/..?x", "/", "x", ""},
		{"/a/.?x", "/a/", "x", ""},
		{"/a/..#x", "/", "", ""},
		{"/%61%2F%2e%2E/b", "/b", "", ""},
		{"/a%2Fb", "/a/b", "", ""},
		{"/a%3Fb?c%3Fd#e?f", "/a?b", "c%3Fd", ""},
		{"/a%23b%25c", "/a#b%c", "", ""},
		{"/a#b?c", "/a", "", ""},
		{"/...", "/...", "", ""},
		{"/..a/.b", "/..a/.b", "", ""},
		{"/.b.c", "/.b.c", "", "c"},
		{"/a.b/c", "/a.b/c", "", ""},
		{"/a.", "/a.", "", ""},
		{"/x.y%2Ez", "/x.y.z", "", "z"},
		{"/%0a%ff", "/\n\xff", "", ""},
		{"/.%2e/", "", "", ""},
		{"/..", "", "", ""},
		{"/a/../../b", "", "", ""},
		{"/%00", "", "", ""},
		{"/%", "", "", ""},
		{"/%4", "", "", ""},
		{"/%4?", "", "", ""},
		{"/%g1", "", "", ""},
	}
	for _, tt := range tests {
		got, err := ParseComplexURI(nil, []byte(tt.in), false, true)
		if tt.path == "" {
			if err != ErrRequest {
				t.Errorf("%q: %v, %q", tt.in, err, got.Path)
			}
			continue
		}
		if err != nil || string(got.Path) != tt.path || string(got.Args) != tt.args || string(got.Ext) != tt.ext {
			t.Errorf("%q: %q ? %q . %q, %v", tt.in, got.Path, got.Args, got.Ext, err)
		}
	}
	got, err := ParseComplexURI(nil, []byte("//a//../b"), false, false)
	if err != nil || string(got.Path) != "//a/b" {
		t.Errorf("slashes kept: %q, %v", got.Path, err)
	}
	got, err = ParseComplexURI(nil, []byte("?a#b"), true, true)
	if err != nil || string(got.Path) != "/" || string(got.Args) != "a" {
		t.Errorf("empty path: %q ? %q, %v", got.Path, got.Args, err)
	}
	if got, _ = ParseComplexURI(nil, []byte("/a%2Bb"), false, true); !got.Plus || !got.Quoted {
		t.Error("flags")
	}
}

func TestTarget(t *testing.T) {
	tests := []struct{ in, raw, path, args, ext string }{
		{"GET /a.b?c=d HTTP/1.1\r\n", "/a.b?c=d", "/a.b", "c=d", "b"},
		{"GET /a.b? HTTP/1.1\r\n", "/a.b?", "/a.b", "", "b"},
		{"GET /a/../c.d?e#f HTTP/1.1\r\n", "/a/../c.d?e#f", "/c.d", "e", "d"},
		{"GET http://h?x HTTP/1.1\r\n", "?x", "/", "x", ""},
		{"GET http://h HTTP/1.1\r\n", "/", "/", "", ""},
		{"CONNECT h:1 HTTP/1.1\r\n", "/", "/", "", ""},
	}
	for _, tt := range tests {
		var l RequestLine
		if done, err := l.Parse([]byte(tt.in)); !done || err != nil {
			t.Fatal(tt.in, err)
		}
		got, err := l.Target(nil, []byte(tt.in), true)
		if err != nil || string(got.Raw) != tt.raw || string(got.Path) != tt.path ||
			string(got.Args) != tt.args || string(got.Ext) != tt.ext {
			t.Errorf("%q: %q %q %q %q, %v", tt.in, got.Raw, got.Path, got.Args, got.Ext, err)
		}
	}
}

func TestUnsafeURI(t *testing.T) {
	tests := []struct {
		in, path, args string
		ok             bool
	}{
		{"/a?b?c", "/a", "b?c", true},
		{"/a%20b", "/a b", "", true},
		{"a/b", "a/b", "", true},
		{"/a..b/..c", "/a..b/..c", "", true},
		{"/..?x", "/..", "x", true},
		{"", "", "", false},
		{"?a", "", "", false},
		{"..", "", "", false},
		{"../a", "", "", false},
		{"/a/..", "", "", false},
		{"/a/../b", "", "", false},
		{"/a/%2e%2e", "", "", false},
		{"/%2e%2e?x", "", "", false},
		{"/a\x00", "", "", false},
		{"/a%00", "", "", false},
	}
	for _, tt := range tests {
		path, args, ok := ParseUnsafeURI(nil, []byte(tt.in))
		if ok != tt.ok || ok && (string(path) != tt.path || string(args) != tt.args) {
			t.Errorf("%q: %q ? %q, %v", tt.in, path, args, ok)
		}
	}
}

func FuzzComplexURI(f *testing.F) {
	f.Add([]byte("/a/./b/../%2e%2E//c.d?e#f"), true)
	f.Add([]byte("?x"), false)
	f.Fuzz(func(t *testing.T, in []byte, merge bool) {
		if len(in) == 0 || in[0] != '/' && in[0] != '?' {
			return
		}
		room := make([]byte, 0, len(in)+1)
		got, err := ParseComplexURI(room, in, in[0] == '?', merge)
		if err != nil {
			return
		}
		if got.Path[0] != '/' || len(got.Path) > len(in)+1 {
			t.Fatalf("%q", got.Path)
		}
		if &got.Path[0] != &room[:1][0] {
			t.Fatal("did not fit the room")
		}
		if bytes.Contains(got.Path, []byte("/../")) || bytes.HasSuffix(got.Path, []byte("/..")) ||
			bytes.Contains(got.Path, []byte("/./")) || merge && bytes.Contains(got.Path, []byte("//")) {
			t.Fatalf("not normalised: %q", got.Path)
		}
		if bytes.IndexByte(got.Path, 0) >= 0 && bytes.IndexByte(in, 0) < 0 {
			t.Fatal("NUL")
		}
	})
}
