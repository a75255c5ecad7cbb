package tls

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"

	gotls "crypto/tls"
	"github.com/google/go-cmp/cmp"
)

func TestParseCiphers(t *testing.T) {
	names := func(ids []uint16) (list []string) {
		for _, id := range ids {
			list = append(list, CipherName(id))
		}
		return list
	}
	for _, test := range []struct {
		in      string
		want    []string
		missing []string
		fails   bool
	}{
		{in: "ECDHE-RSA-AES128-GCM-SHA256", want: []string{"ECDHE-RSA-AES128-GCM-SHA256"}},
		{in: "ECDHE+AESGCM", want: []string{"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
			"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"}},
		{in: "ECDHE+AESGCM:!aRSA", want: []string{"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"}},
		{in: "ECDHE+AESGCM:-AES256:+aECDSA:-kRSA", want: []string{"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"}},
		{in: "AES128-SHA,AES256-SHA @STRENGTH", want: []string{"AES256-SHA", "AES128-SHA"}},
		{in: "!kRSA:AES128-SHA:ECDHE-RSA-AES128-SHA", want: []string{"ECDHE-RSA-AES128-SHA"}},
		{in: "DHE-RSA-AES128-GCM-SHA256:AES128-SHA", want: []string{"AES128-SHA"}, missing: []string{"DHE-RSA-AES128-GCM-SHA256"}},
		{in: "NOSUCH:AES128-SHA", want: []string{"AES128-SHA"}},
		{in: "NOSUCH", fails: true},
		{in: "", fails: true},
		{in: "!ALL", fails: true},
		{in: "TLS_AES_128_GCM_SHA256", fails: true},
	} {
		set, err := ParseCiphers(test.in)
		if (err != nil) != test.fails {
			t.Errorf("%q: %v", test.in, err)
		}
		if d := cmp.Diff(test.want, names(set.IDs)); d != "" {
			t.Errorf("%q: %s", test.in, d)
		}
		if !slices.Equal(test.missing, set.Missing) {
			t.Errorf("%q: missing %v", test.in, set.Missing)
		}
	}
	if set, err := ParseCiphers("DEFAULT"); err != nil || len(set.IDs) == 0 {
		t.Errorf("DEFAULT: %v %v", set, err)
	}
}

func FuzzParseCiphers(f *testing.F) {
	for _, s := range []string{"HIGH:!aNULL:!MD5", "ECDHE+AESGCM:@STRENGTH", "+:-:!", "++", "@", "DEFAULT@SECLEVEL=2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		set, err := ParseCiphers(s)
		if err == nil && slices.ContainsFunc(set.IDs, func(id uint16) bool { return gotls.CipherSuiteName(id) == "" }) {
			t.Errorf("%q: %v", s, set.IDs)
		}
	})
}

func TestLoadErrors(t *testing.T) {
	files := map[string]string{"junk": "junk\n", "bad": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}
	read := func(name string) ([]byte, error) {
		if s, ok := files[name]; ok {
			return []byte(s), nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	}
	_, missing := LoadCertificate(read, "none")
	_, junk := LoadCertificate(read, "junk")
	_, bad := LoadCertificate(read, "bad")
	_, data := LoadCertificate(read, "data:x")
	_, _, key := LoadKey(read, "junk", nil)
	_, _, engine := LoadKey(read, "engine:x", nil)
	for _, test := range []struct {
		err  error
		want string
	}{
		{missing, "BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(none, r) error:10000080:BIO routines::no such file)"},
		{junk, "PEM_read_bio_X509_AUX() failed (SSL: error:0480006C:PEM routines::no start line:Expecting: TRUSTED CERTIFICATE)"},
		{data, "PEM_read_bio_X509_AUX() failed (SSL: error:0480006C:PEM routines::no start line:Expecting: TRUSTED CERTIFICATE)"},
		{bad, "PEM_read_bio_X509_AUX() failed (SSL: error:068000A8:asn1 encoding routines::wrong tag error:0688010A:asn1 encoding routines::nested asn1 error:Type=X509 error:0488000D:PEM routines::ASN1 lib)"},
		{key, "PEM_read_bio_PrivateKey() failed (SSL: error:1E08010C:DECODER routines::unsupported:No supported data to decode. Input type: PEM)"},
		{engine, "invalid syntax"},
	} {
		if test.err == nil || test.err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", test.err, test.want)
		}
	}
}

func FuzzPEM(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		read := func(string) ([]byte, error) { return b, nil }
		certs, err := LoadCertificate(read, "f")
		if err == nil && len(certs) == 0 {
			t.Error("no certificate and no error")
		}
		for _, c := range certs {
			Name(c.RawSubject)
			OneLine(c.RawIssuer)
			Serial(c)
		}
		_, _, _ = parseKey(b, [][]byte{[]byte("x")})
		_, _ = LoadCRLs(read, "f")
		_, _ = LoadStaple(read, "f")
		_, _ = ParsePasswords(b)
	})
}

func TestPasswords(t *testing.T) {
	got, _ := ParsePasswords([]byte("one\r\n\ntwo"))
	if d := cmp.Diff([][]byte{[]byte("one"), []byte("two")}, got); d != "" {
		t.Error(d)
	}
	if got, _ := ParsePasswords(nil); len(got) != 1 || len(got[0]) != 0 {
		t.Errorf("empty: %q", got)
	}
	if _, long := ParsePasswords(bytes.Repeat([]byte{'x'}, 4096)); !long {
		t.Error("a line of 4096 bytes was taken")
	}
}

func TestName(t *testing.T) {
	raw, err := asn1.Marshal(pkix.Name{Country: []string{"DE"}, Organization: []string{"Acme, Inc."}, CommonName: " ä#"}.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Name(raw), `CN=\ \C3\A4#,O=Acme\, Inc.,C=DE`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := OneLine(raw), `/C=DE/O=Acme, Inc./CN= \xC3\xA4#`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTicketKey(t *testing.T) {
	for _, size := range []int{48, 80} {
		raw := make([]byte, size)
		for i := range raw {
			raw[i] = byte(i)
		}
		k, err := ParseTicketKey(raw)
		if err != nil {
			t.Fatal(err)
		}
		ticket := k.seal([]byte("session"))
		if got := k.open(ticket); string(got) != "session" {
			t.Errorf("got %q", got)
		}
		for i := range ticket[ticketName:] {
			ticket[ticketName+i] ^= 1
			if k.open(ticket) != nil {
				t.Fatalf("a ticket changed at %d was opened", ticketName+i)
			}
			ticket[ticketName+i] ^= 1
		}
	}
	if _, err := ParseTicketKey(make([]byte, 47)); !errors.Is(err, ErrTicketKey) {
		t.Errorf("got %v", err)
	}
}

func TestMatchHost(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"a.b", "a.b", true}, {"*.b.c", "a.b.c", true}, {"*.b.c", "b.c", false}, {"*.b.c", "x.a.b.c", false},
		{"*.c", "b.c", false}, {"", "", false}, {"a", "b", false},
	} {
		if got := matchHost(test.pattern, test.name); got != test.want {
			t.Errorf("%s %s: %v", test.pattern, test.name, got)
		}
	}
}

func TestExplain(t *testing.T) {
	_, text, _ := Explain(errors.New("remote error: tls: unknown certificate authority"))
	if want := "SSL_do_handshake() failed (SSL: error:0A000418:SSL routines::tlsv1 alert unknown ca:SSL alert number 48)"; text != want {
		t.Errorf("got %s", text)
	}
	if _, text, _ := Explain(errors.New("tls: something new")); !strings.Contains(text, "something new") {
		t.Errorf("got %s", text)
	}
}
