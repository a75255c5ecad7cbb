package tls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	gotls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moongate/core/event"
)

// testLoop runs a loop until the test ends.
func testLoop(t testing.TB) *event.Loop {
	t.Helper()
	l, err := event.New(event.Config{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Run() }()
	t.Cleanup(func() {
		l.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}

// pair makes a connection of the loop and its other end.
func pair(t testing.TB, l *event.Loop) (*event.Conn, net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[1]), "peer")
	peer, err := net.FileConn(f)
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	adopted := make(chan *event.Conn)
	l.Post(func() {
		c, err := l.Adopt(fds[0])
		if err != nil {
			t.Error(err)
		}
		adopted <- c
	})
	return <-adopted, peer
}

// inFiber runs f in a fiber and waits for it.
func inFiber(l *event.Loop, f func()) {
	done := make(chan struct{})
	l.Post(func() {
		l.Go(func() {
			defer close(done)
			f()
		})
	})
	<-done
}

// selfSigned makes a certificate for a name.
func selfSigned(t testing.TB, name string) ([]*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return []*x509.Certificate{c}, key
}

func serverContext(t testing.TB, chain []*x509.Certificate, key crypto.Signer) *Context {
	t.Helper()
	ctx, err := NewContext(DefaultProtocols)
	if err != nil {
		t.Fatal(err)
	}
	ctx.pairs.SetChain(chain)
	ctx.pairs.SetKey(key)
	if _, err := ctx.SetCiphers("HIGH:!aNULL", false); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// echo serves one connection: it answers a line with it, and then the text.
func echo(t testing.TB, l *event.Loop, c *event.Conn, ctx *Context, text []byte) (s *Conn) {
	inFiber(l, func() {
		s = Server(c, ctx)
		if err := s.Handshake(time.Second * 5); err != nil {
			t.Error(err)
			c.Close()
			return
		}
		buf := make([]byte, 16)
		for {
			n, err := s.Read(buf)
			if err == event.ErrAgain {
				if err := c.WaitReadable(5 * time.Second); err != nil {
					t.Error(err)
					return
				}
				continue
			}
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := s.Writev([][]byte{buf[:n], nil, text[:len(text)/2], text[len(text)/2:]}); err != nil {
				t.Error(err)
			}
			s.Shutdown()
			c.Close()
			return
		}
	})
	return s
}

func TestServer(t *testing.T) {
	chain, key := selfSigned(t, "example.com")
	text := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	for _, version := range []uint16{gotls.VersionTLS12, gotls.VersionTLS13} {
		for _, stored := range []bool{false, true} {
			l := testLoop(t)
			ctx := serverContext(t, chain, key)
			if stored {
				ctx.SetSessions(nil, NewMemoryStore(10), time.Minute, [16]byte{1})
			} else {
				ctx.SetSessions(FixedKeys{NewTicketKey(make([]byte, 80))}, nil, time.Minute, [16]byte{1})
			}
			cfg := &gotls.Config{InsecureSkipVerify: true, ServerName: "example.com", MaxVersion: version,
				ClientSessionCache: gotls.NewLRUClientSessionCache(4)}
			for i, resumed := range []bool{false, true, true} {
				c, peer := pair(t, l)
				got := make(chan []byte)
				var state gotls.ConnectionState
				go func() {
					client := gotls.Client(slow{peer}, cfg)
					client.Write([]byte("hello\n"))
					b, err := io.ReadAll(client)
					if err != nil {
						t.Error(err)
					}
					state = client.ConnectionState()
					got <- b
				}()
				echo(t, l, c, ctx, text)
				if b := <-got; string(b) != "hello\n"+string(text) {
					t.Errorf("%#x: got %d bytes", version, len(b))
				}
				if state.DidResume != resumed {
					t.Errorf("%#x stored=%v connection %d: resumed %v", version, stored, i, state.DidResume)
				}
			}
		}
	}
}

// slow sends and receives a few bytes at a time.
type slow struct{ net.Conn }

func (s slow) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := s.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func TestSelect(t *testing.T) {
	chainA, keyA := selfSigned(t, "a")
	chainB, keyB := selfSigned(t, "b")
	l := testLoop(t)
	a, b := serverContext(t, chainA, keyA), serverContext(t, chainB, keyB)
	a.Select = func(c *Conn, h *Hello) (*Context, []string, error) {
		switch h.ServerName {
		case "b":
			return b, []string{"two"}, nil
		case "no":
			return nil, nil, ErrRejected
		}
		return nil, []string{"one"}, nil
	}
	for name, want := range map[string]string{"a": "a", "b": "b", "no": ""} {
		c, peer := pair(t, l)
		result := make(chan string)
		go func() {
			client := gotls.Client(peer, &gotls.Config{InsecureSkipVerify: true, ServerName: name, NextProtos: []string{"two", "one"}})
			if err := client.Handshake(); err != nil {
				result <- err.Error()
				return
			}
			cs := client.ConnectionState()
			result <- cs.PeerCertificates[0].Subject.CommonName + cs.NegotiatedProtocol
		}()
		inFiber(l, func() {
			s := Server(c, a)
			err := s.Handshake(5 * time.Second)
			if (want == "") != (err != nil) {
				t.Errorf("%s: %v", name, err)
			}
			c.Close()
		})
		got := <-result
		switch name {
		case "a":
			want = "aone"
		case "b":
			want = "btwo"
		case "no":
			want = "remote error: tls: unrecognized name"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestHandshakeTimeout(t *testing.T) {
	chain, key := selfSigned(t, "a")
	l := testLoop(t)
	c, _ := pair(t, l)
	inFiber(l, func() {
		if err := Server(c, serverContext(t, chain, key)).Handshake(20 * time.Millisecond); err != event.ErrTimeout {
			t.Errorf("got %v", err)
		}
	})
}

func TestClient(t *testing.T) {
	chain, key := selfSigned(t, "example.com")
	l := testLoop(t)
	ctx, err := NewContext(DefaultProtocols)
	if err != nil {
		t.Fatal(err)
	}
	ctx.VerifyServer(1)
	ctx.Trust(chain)
	server := &gotls.Config{Certificates: []gotls.Certificate{*NewCertificate(chain, key)}, NextProtos: []string{"h"}}
	var session *Session
	for i, resumed := range []bool{false, true, true} {
		c, peer := pair(t, l)
		go func() {
			s := gotls.Server(peer, server)
			io.WriteString(s, "hi")
			s.Read(make([]byte, 1))
		}()
		inFiber(l, func() {
			s := Client(c, ctx, ClientOptions{ServerName: "example.com", ALPN: []string{"h"}, Session: session})
			if err := s.Handshake(5 * time.Second); err != nil {
				t.Error(err)
				return
			}
			if s.Verdict() != VerifyOK || !s.VerifyHost("example.com") || s.VerifyHost("example.org") || s.Protocol() != "h" {
				t.Errorf("verdict %v, protocol %q", s.Verdict(), s.Protocol())
			}
			var b [8]byte
			n, err := s.Read(b[:])
			for err == event.ErrAgain {
				_ = c.WaitReadable(time.Second)
				n, err = s.Read(b[:])
			}
			if string(b[:n]) != "hi" || s.State().DidResume != resumed {
				t.Errorf("connection %d: %q %v, resumed %v", i, b[:n], err, s.State().DidResume)
			}
			raw, err := s.Session().Bytes()
			if err == nil {
				session, err = ParseSession(raw)
			}
			if err != nil {
				t.Error(err)
			}
			c.Close()
		})
	}
}

func TestVerifyUntrusted(t *testing.T) {
	chain, _ := selfSigned(t, "a")
	other, _ := selfSigned(t, "b")
	v := verifier{trusted: other, depth: 1, usage: x509.ExtKeyUsageClientAuth}
	if got := v.check(chain, time.Now()); got != VerifySelfSignedLeaf {
		t.Errorf("got %v", got)
	}
	v.trust(chain)
	if got := v.check(chain, time.Now()); got != VerifyOK {
		t.Errorf("trusted: got %v", got)
	}
	if got := v.check(chain, time.Now().Add(48*time.Hour)); got != VerifyExpired {
		t.Errorf("expired: got %v", got)
	}
}
