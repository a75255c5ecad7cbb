package tls

import (
	"crypto/ecdh"
	"crypto/rand"
	gotls "crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// echFile makes a file of ssl_ech_file and the list of configurations that is
// published of it.
func echFile(t testing.TB, curve ecdh.Curve, kem uint16, number byte, name string) (file, list []byte) {
	t.Helper()
	key, err := curve.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	sized := func(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }
	body := binary.BigEndian.AppendUint16([]byte{number}, kem)
	body = append(body, sized(key.PublicKey().Bytes())...)
	body = append(body, sized([]byte{0, 1, 0, 1})...) // HKDF-SHA256 with AES-128-GCM
	body = append(body, 0, byte(len(name)))
	body = append(append(body, name...), 0, 0)
	config := append(binary.BigEndian.AppendUint16(nil, echVersion), sized(body)...)
	other := []byte{0xfe, 0x0c, 0, 2, 'o', 'k'} // of a draft
	list = sized(append(other, config...))
	file = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return append(file, pem.EncodeToMemory(&pem.Block{Type: "ECHCONFIG", Bytes: list})...), list
}

// TestECH: a client's hidden name counts; one with an old or a foreign
// configuration is told the first one.
func TestECH(t *testing.T) {
	chain, key := selfSigned(t, "public.test")
	_, foreign := echFile(t, ecdh.X25519(), 0x20, 3, "public.test")
	first, firstList := echFile(t, ecdh.X25519(), 0x20, 1, "public.test")
	second, secondList := echFile(t, ecdh.P256(), 0x10, 2, "public.test")
	files := map[string][]byte{"first": first, "second": second}
	ctx := serverContext(t, chain, key)
	for _, name := range []string{"first", "second"} {
		if err := ctx.AddECH(func(name string) ([]byte, error) { return files[name], nil }, name); err != nil {
			t.Fatal(err)
		}
	}
	other := serverContext(t, chain, key)
	ctx.Select = func(c *Conn, h *Hello) (*Context, []string, error) { return other, nil, nil }
	for _, test := range []struct {
		name           string
		list           []byte
		sent           string
		status, public string
		retry          bool
	}{
		{name: "first", list: firstList, sent: "hidden.test", status: "SUCCESS", public: "public.test"},
		{name: "second", list: secondList, sent: "hidden.test", status: "SUCCESS", public: "public.test"},
		{name: "foreign", list: foreign, sent: "public.test", status: "GREASE", retry: true},
		{name: "none", sent: "hidden.test", status: "NOT_TRIED"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := testLoop(t)
			c, peer := pair(t, l)
			pool := x509.NewCertPool()
			pool.AddCert(chain[0])
			cfg := &gotls.Config{ServerName: "hidden.test", EncryptedClientHelloConfigList: test.list, RootCAs: pool,
				InsecureSkipVerify: test.list == nil || !test.retry, MinVersion: gotls.VersionTLS13}
			failed := make(chan error, 1)
			go func() {
				client := gotls.Client(peer, cfg)
				err := client.Handshake()
				failed <- err
				peer.Close()
			}()
			var name, status, public string
			inFiber(l, func() {
				s := Server(c, ctx)
				if err := s.Handshake(5 * time.Second); err != nil {
					t.Error(err)
				}
				name, status, public = s.ServerName(), s.ECHStatus(), s.OuterServerName()
				c.Close()
			})
			err := <-failed
			var rejected *gotls.ECHRejectionError
			if errors.As(err, &rejected) != test.retry || err != nil && !test.retry {
				t.Errorf("the client says %v", err)
			}
			if rejected != nil && !slices.Equal(rejected.RetryConfigList[2:], firstList[2+6:]) {
				t.Errorf("to try again with: %x", rejected.RetryConfigList)
			}
			if name != test.sent || status != test.status || public != test.public {
				t.Errorf("%q, status %q, in front of it %q", name, status, public)
			}
		})
	}
}

func TestECHErrors(t *testing.T) {
	good, _ := echFile(t, ecdh.X25519(), 0x20, 1, "a")
	wrong, _ := echFile(t, ecdh.X25519(), 0x10, 1, "a")
	key, config, _ := strings.Cut(string(good), "-----BEGIN ECHCONFIG")
	config = "-----BEGIN ECHCONFIG" + config
	cut, _ := echFile(t, ecdh.X25519(), 0x20, 1, "")
	chain, _ := selfSigned(t, "a")
	files := map[string]string{
		"key": key, "config": config, "curve": string(wrong), "cut": string(cut), "list": key + "-----BEGIN ECHCONFIG-----\nAAQBAgM=\n-----END ECHCONFIG-----\n",
		"bad":         "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + config,
		"certificate": PEM(chain[0]),
	}
	ctx := &Context{}
	for name := range files {
		err := ctx.AddECH(func(name string) ([]byte, error) { return []byte(files[name]), nil }, name)
		if err == nil || !strings.HasPrefix(err.Error(), "OSSL_ECHSTORE_read_pem("+name+") failed (SSL: error:") {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := ctx.AddECH(func(string) ([]byte, error) { return nil, &fs.PathError{Err: syscall.ENOENT} }, "none")
	if err == nil || !strings.HasPrefix(err.Error(), `BIO_new_file("none") failed (SSL: error:80000002:`) {
		t.Error(err)
	}
}

func FuzzECH(f *testing.F) {
	good, list := echFile(f, ecdh.X25519(), 0x20, 1, "public.test")
	f.Add(good)
	f.Add(append(slices.Clone(good), "-----BEGIN ECHCONFIG-----\nAAQBAgM=\n-----END ECHCONFIG-----\n"...))
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(list)
	f.Fuzz(func(t *testing.T, b []byte) {
		if keys, err := parseECH(b); err == nil && len(keys) == 0 {
			t.Error("no keys and no error")
		}
		_, _ = matchECH(b, key)
	})
}
