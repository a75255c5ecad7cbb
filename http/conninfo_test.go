package http

import (
	"encoding/base64"
	"strings"
	"testing"

	"moongate/http/wire"
)

// credentials parses an Authorization header.
func credentials(r *Request, value string) (user, passwd string, ok bool) {
	r.In.User, r.In.Passwd, r.In.authTested = "", "", false
	r.In.Delete("Authorization")
	r.In.Add(Header{Name: "Authorization", Lower: "authorization", Value: value, ID: wire.HeaderAuthorization})
	ok = r.ParseBasicAuth()
	return r.In.User, r.In.Passwd, ok
}

func TestParseBasicAuth(t *testing.T) {
	r := testRequest(t, mustLoad(t, "server { listen 80; }"))
	for value, want := range map[string]string{
		"Basic eDp5":        "x:y",
		"basic   eDp5":      "x:y",
		"Basic eDp5Og==":    "x:y:",
		"Basic eDo=":        "x:",
		"Basic eHk=":        "", // no colon
		"Basic Onk=":        "", // no user
		"Basic !!!!":        "",
		"Basic":             "",
		"Bearer eDp5":       "",
		"Basic eDp5=ignore": "x:y",
	} {
		user, passwd, ok := credentials(r, value)
		got := ""
		if ok {
			got = user + ":" + passwd
		}
		if got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
}

func FuzzParseBasicAuth(f *testing.F) {
	f.Add("Basic eDp5")
	f.Add("basic  =")
	r := testRequest(f, mustLoad(f, "server { listen 80; }"))
	f.Fuzz(func(t *testing.T, value string) {
		user, passwd, ok := credentials(r, value)
		if !ok {
			return
		}
		if user == "" || strings.Contains(user, ":") {
			t.Errorf("%q: user %q", value, user)
		}
		again := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+passwd))
		if user2, passwd2, ok := credentials(r, again); !ok || user2 != user || passwd2 != passwd {
			t.Errorf("%q and %q became %q and %q", user, passwd, user2, passwd2)
		}
	})
}
