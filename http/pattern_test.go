package http

import (
	"strings"
	"testing"
)

// runaway matches its subject only after more steps than are allowed.
const runaway = `^/?(a+)+$`

// TestRegexFails: an expression that gives up is an error of the server, and
// chooses nothing.
func TestRegexFails(t *testing.T) {
	r := testRequest(t, mustLoad(t, `server { listen 80; location ~ `+runaway+` { } location /a { } }
		server { listen 80; server_name ~`+runaway+`; }`))
	subject := strings.Repeat("a", 40) + "b"
	if got := route(r, "/"+subject); !strings.HasPrefix(got, "500") {
		t.Error(got)
	}
	if r.FindServer(subject) {
		t.Errorf("server %q", r.Server.Name)
	}
	_, _, err := r.Conn.Addr.Find(subject)
	if want := `pcre2_match() failed: -47 on "` + subject + `" using "` + runaway + `"`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestRegexExec sets captures and variables, and leaves them upon no match.
func TestRegexExec(t *testing.T) {
	m := mustLoad(t, `server { listen 80; location ~ "^/(?<a>x)?(?J)(?:(?<b>y)|(?<b>z))(w)?" { root /$a$b; } }`)
	r := testRequest(t, m)
	re := r.Server.locations.regexes[0].Regex
	for _, test := range []struct{ subject, a, b, one, four string }{
		{"/xy", "x", "y", "x", ""},
		{"/z", "", "z", "", ""},
		{"/none", "", "z", "", ""},
		{"/xzw", "x", "z", "x", "w"},
	} {
		_, err := re.Exec(r, test.subject)
		a, _ := r.Lookup("a")
		b, _ := r.Lookup("b")
		if err != nil || a.S != test.a || b.S != test.b || r.Capture(1).S != test.one || r.Capture(4).S != test.four {
			t.Errorf("%s: %q %q %q %q %v", test.subject, a.S, b.S, r.Capture(1).S, r.Capture(4).S, err)
		}
	}
	if v := r.Capture(9); v.Found {
		t.Errorf("$9 is %q", v.S)
	}
}
