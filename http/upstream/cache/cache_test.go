package cache

import (
	"crypto/md5"
	"encoding/hex"
	"testing"

	"moongate/core/process"
	"moongate/http"
)

func TestParseLevels(t *testing.T) {
	tests := []struct {
		text string
		want [3]int
		ok   bool
	}{
		{"1", [3]int{1}, true}, {"1:2", [3]int{1, 2}, true}, {"2:2:2", [3]int{2, 2, 2}, true},
		{"3", [3]int{}, false}, {"0", [3]int{}, false}, {"1:", [3]int{1}, false}, {"1:2:1:1", [3]int{}, false},
		{"12", [3]int{}, false}, {"1,2", [3]int{}, false},
	}
	for _, test := range tests {
		got, ok := parseLevels(test.text)
		if ok != test.ok || ok && got != test.want {
			t.Errorf("%q: %v %v, want %v %v", test.text, got, ok, test.want, test.ok)
		}
	}
}

func TestFileName(t *testing.T) {
	c := &Cache{path: &http.TempPath{Path: &process.Path{Name: "/cache", Levels: [3]int{1, 2}}}}
	key := md5.Sum([]byte("a"))
	name := hex.EncodeToString(key[:])
	want := "/cache/" + name[31:] + "/" + name[29:31] + "/" + name
	if got := string(c.appendFile(nil, &key)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestLifetime(t *testing.T) {
	list := []Valid{{200, 10}, {302, 20}, {0, 30}, {404, 40}}
	for status, want := range map[int]int64{200: 10, 302: 20, 404: 30, 500: 30} {
		if got := Lifetime(list, status); got != want {
			t.Errorf("%d: %d, want %d", status, got, want)
		}
	}
	if got := Lifetime(nil, 200); got != 0 {
		t.Errorf("without a list: %d", got)
	}
}

func TestVariant(t *testing.T) {
	variant := func(vary string, fields ...string) [KeyLen]byte {
		r := &http.Request{}
		for i := 0; i < len(fields); i += 2 {
			r.In.Add(http.Header{Name: fields[i], Value: fields[i+1]})
		}
		return (&Entry{}).variantOf(r, []byte(vary))
	}
	same := func(name string, a, b [KeyLen]byte, want bool) {
		if (a == b) != want {
			t.Errorf("%s: the same is %v, want %v", name, a == b, want)
		}
	}
	same("case of the names", variant("Accept, X", "accept", "a"), variant("accept,x", "Accept", "a"), true)
	same("another value", variant("X", "X", "a"), variant("X", "X", "b"), false)
	same("blanks count", variant("X", "X", "a, b"), variant("X", "X", "a,b"), false)
	same("blanks of lists do not", variant("Accept-Encoding", "Accept-Encoding", "a, b"),
		variant("Accept-Encoding", "Accept-Encoding", " a,b "), true)
	same("fields that repeat", variant("X", "X", "a", "X", "b"), variant("X", "X", "a,b"), true)
	same("other fields", variant("X", "X", "a", "Y", "b"), variant("X", "X", "a"), true)

	// What nginx hashes, spelled out.
	want := md5.Sum([]byte(string(make([]byte, KeyLen)) + "accept-language:en,de\r\nx:1, 2\r\n"))
	if got := variant("Accept-Language, X", "Accept-Language", "en , de", "X", "1, 2"); got != want {
		t.Error("the hash of a variant is not nginx's")
	}
}
