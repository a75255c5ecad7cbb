package encryptedsession

import (
	"crypto/aes"
	"encoding/base64"
	"testing"
)

func testBox(t testing.TB) *box {
	block, err := aes.NewCipher([]byte("0123456789abcdefghijklmnopqrstuv"))
	if err != nil {
		t.Fatal(err)
	}
	return &box{block}
}

func TestSealAndOpen(t *testing.T) {
	k := testBox(t)
	iv := [ivSize]byte([]byte(defaultIV))
	for _, value := range []string{"", "a", "12345678", "exactly a block.", "more than a block of text"} {
		sealed := string(k.seal([]byte("before"), value, 100, iv)[len("before"):])
		room := make([]byte, len(sealed))
		if got, err := k.open(room, sealed, 99, iv); string(got) != value || err != nil {
			t.Errorf("%q: opened as %q, %v", value, got, err)
		}
		if _, err := k.open(room, sealed, 100, iv); err != errExpired {
			t.Errorf("%q: expired, but %v", value, err)
		}
		if _, err := k.open(room, "x"+sealed[1:], 99, iv); err != errSum && sealed[0] != 'x' {
			t.Errorf("%q: changed sum, but %v", value, err)
		}
		if _, err := k.open(room, sealed[:len(sealed)-1], 99, iv); err != errSize {
			t.Errorf("%q: cut, but %v", value, err)
		}
		if got, err := k.open(room, string(k.seal(nil, value, 0, iv)), 1<<40, iv); string(got) != value || err != nil {
			t.Errorf("%q: without expiry opened as %q, %v", value, got, err)
		}
	}
}

// TestForm checks the bytes against those that OpenSSL makes of the same input.
func TestForm(t *testing.T) {
	const want = "vZOZgREr9OuNJAjB+byp1J/xsKqWFedYbgllr1R5hB0="
	got := base64.StdEncoding.EncodeToString(testBox(t).seal(nil, "hello", 1700000000, [ivSize]byte([]byte(defaultIV))))
	if got != want {
		t.Errorf("sealed as %s, want %s", got, want)
	}
}

func FuzzOpen(f *testing.F) {
	k := testBox(f)
	iv := [ivSize]byte{}
	f.Add(string(k.seal(nil, "value", 5, iv)), int64(1))
	f.Fuzz(func(_ *testing.T, sealed string, now int64) {
		_, _ = k.open(make([]byte, len(sealed)), sealed, now, iv) // must not panic
	})
}
