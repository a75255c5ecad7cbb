package backends

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSharedCache: when a response is kept, and for whom.
func TestSharedCache(t *testing.T) {
	each(t, func(t *testing.T, d *dialect) {
		reached, next := make(chan bool, 10), make(chan bool)
		s := share(t, d, "P_cache_path cache keys_zone=a:1m; add_header X-Cache $upstream_cache_status;", `
P_cache a; P_cache_key $uri; P_cache_valid 200 1h; P_cache_valid 404 1h;
location /plain { PASS }
location /keyed { P_cache_key $arg_key; PASS }
location /uses { P_cache_min_uses 2; PASS }
location /methods { P_cache_methods POST; PASS }
location /statuses { PASS }
location /unkept { P_cache_valid 404 1h; PASS }
location /bypass { P_cache_bypass $arg_new; PASS }
location /never { P_no_cache $arg_once; PASS }
location /cookie { PASS }
location /cookie/ignored { P_ignore_headers Set-Cookie; PASS }
location /offset { P_cache_max_range_offset 10; PASS }
location /locked { P_cache_lock on; PASS }
location /timeout { P_cache_lock on; P_cache_lock_timeout 50ms; PASS }
location /age { P_cache_lock on; P_cache_lock_age 50ms; PASS }
location /off { P_cache off; PASS }
`, func(v *visit, n int) {
			body := fmt.Sprintf("%d\n", n)
			switch {
			case strings.HasPrefix(v.uri, "/statuses"), strings.HasPrefix(v.uri, "/unkept"):
				v.answer(body, "Status: "+v.field("X-Status")+" Status")
			case strings.HasPrefix(v.uri, "/cookie"):
				v.answer(body, "Set-Cookie: a=b")
			case strings.HasPrefix(v.uri, "/offset"):
				v.answer(strings.Repeat("0123456789", 10), "X-Range: "+v.field("Range"))
			case strings.HasSuffix(v.uri, "/gated") && n == 1:
				reached <- true
				await(t, next)
				fallthrough
			default:
				v.answer(body)
			}
		})
		want := func(path, want string, header ...string) {
			t.Helper()
			if got := s.kept(path, header...); got != want {
				t.Errorf("%s %v: %q, want %q", path, header, got, want)
			}
		}
		want("/plain", "MISS 200 1\n")
		want("/plain", "HIT 200 1\n")
		want("/keyed?key=a", "MISS 200 1\n")
		want("/keyed?key=a&x", "HIT 200 1\n")
		want("/keyed?key=b", "MISS 200 1\n")
		want("/uses", "MISS 200 1\n")
		want("/uses", "MISS 200 2\n")
		want("/uses", "HIT 200 2\n")
		want("/off", " 200 1\n")
		want("/off", " 200 2\n")
		for _, result := range []string{"MISS", "HIT"} {
			if got := s.get("POST", "/methods").Header.Get("X-Cache"); got != result {
				t.Errorf("cache_methods: %s, want %s", got, result)
			}
			if got := s.get("POST", "/plain").Header.Get("X-Cache"); got != "" {
				t.Errorf("without cache_methods: %s", got)
			}
		}
		want("/statuses", " 203 1\n", "X-Status", "203")
		want("/statuses", "MISS 200 2\n", "X-Status", "200")
		want("/statuses", "HIT 200 2\n", "X-Status", "203")
		want("/unkept", "MISS 200 1\n", "X-Status", "200")
		want("/unkept", "MISS 200 2\n", "X-Status", "200")
		want("/bypass?new=1", "BYPASS 200 1\n")
		want("/bypass", "HIT 200 1\n")
		want("/never?once=1", "MISS 200 1\n")
		want("/never", "MISS 200 1\n")
		want("/cookie", "MISS 200 1\n")
		want("/cookie", "MISS 200 2\n")
		want("/cookie/ignored", "MISS 200 1\n")
		want("/cookie/ignored", "HIT 200 1\n")
		for _, test := range []struct{ given, passed string }{{"bytes=5-6", ""}, {"bytes=50-60", "bytes=50-60"}} {
			uri := "/offset/" + test.given[6:7] + test.given[7:8]
			if a := s.get("GET", uri, "Range", test.given); a.Header.Get("X-Range") != test.passed {
				t.Errorf("cache_max_range_offset: %s: %d, the peer saw %q", test.given, a.StatusCode, a.Header.Get("X-Range"))
			}
		}

		// The first of several requests asks the peer; the others wait for its
		// answer, unless it takes too long.
		begin := func(path string) (answered chan string) {
			answered = make(chan string, 1)
			go func() { answered <- s.kept(path) }()
			return answered
		}
		first := begin("/locked/gated")
		<-reached
		second := begin("/locked/gated")
		time.Sleep(20 * time.Millisecond) // too short makes the test pass
		next <- true
		if a, b := <-first, <-second; a != "MISS 200 1\n" || b != "HIT 200 1\n" || s.visits("/locked/gated") != 1 {
			t.Errorf("cache_lock: %q, %q, %d visits", a, b, s.visits("/locked/gated"))
		}
		first = begin("/timeout/gated")
		<-reached
		want("/timeout/gated", "MISS 200 2\n") // it is not kept
		want("/timeout/gated", "MISS 200 3\n")
		next <- true
		<-first
		want("/timeout/gated", "HIT 200 1\n")
		first = begin("/age/gated")
		<-reached
		want("/age/gated", "MISS 200 2\n")
		want("/age/gated", "HIT 200 2\n")
		next <- true
		<-first
	})
}

// TestSharedStale: what is served when a response is too old.
func TestSharedStale(t *testing.T) {
	each(t, func(t *testing.T, d *dialect) {
		next := make(chan bool)
		s := share(t, d, "P_cache_path cache keys_zone=a:1m; add_header X-Cache $upstream_cache_status;", `
P_cache a; P_cache_key $uri;
location /failed { P_cache_use_stale http_503; PASS }
location /updated { P_cache_use_stale updating; P_cache_background_update on; PASS }
location /checked { P_cache_revalidate on; PASS }
location /expired { PASS }
`, func(v *visit, n int) {
			const soon, date = "Cache-Control: max-age=1", "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT"
			switch {
			case n == 1:
				v.answer("old\n", soon, date)
			case v.uri == "/failed":
				v.answer("failed\n", "Status: 503 Not now")
			case v.uri == "/updated":
				await(t, next)
				v.answer("new\n", "Cache-Control: max-age=100")
			case v.uri == "/checked" && v.field("If-Modified-Since") == date[len("Last-Modified: "):]:
				v.say("Status: 304 Not Modified\r\n\r\n")
			default:
				v.answer("new\n", "Cache-Control: max-age=100")
			}
		})
		wants := map[string]string{
			"/failed": "STALE 200 old\n", "/updated": "STALE 200 old\n", "/checked": "REVALIDATED 200 old\n", "/expired": "EXPIRED 200 new\n",
		}
		for path := range wants {
			if got := s.kept(path); got != "MISS 200 old\n" {
				t.Errorf("%s: %q", path, got)
			}
		}
		for path, want := range wants {
			got := ""
			for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
				if got = s.kept(path); got != "HIT 200 old\n" {
					break
				}
			}
			if got != want {
				t.Errorf("%s: %q, want %q", path, got, want)
			}
		}
		if got := s.kept("/updated"); got != "UPDATING 200 old\n" && got != "STALE 200 old\n" {
			t.Errorf("while it is updated: %q", got)
		}
		next <- true
		for deadline := time.Now().Add(10 * time.Second); s.kept("/updated") != "HIT 200 new\n"; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Error("there is no new response")
				break
			}
		}
	})
}
