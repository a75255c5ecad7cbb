package spec

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Server is a running server for a test that is written in Go.
type Server struct{ r *run }

// Serve starts a server on the files of a specification, without exchanges. It ends with the test, which fails
// for what no specification allows in the log.
func Serve(t *testing.T, target *Target, text string) *Server {
	t.Helper()
	s, err := Parse(t.Name(), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if reason := target.Skip(s); reason != "" {
		t.Skip(reason)
	}
	return &Server{s.begin(t, target)}
}

// Addr is the address that a port number of the configuration, 8080 to 8089, stands for.
func (s *Server) Addr(port int) string { return "127.0.0.1:" + s.r.expand(strconv.Itoa(port)) }

// Log is what the server has logged.
func (s *Server) Log() string { return s.r.log() }

// Await waits for a line of the error log that matches.
func (s *Server) Await(t *testing.T, pattern string) {
	t.Helper()
	if err := s.r.await("~ "+pattern, func() (string, error) { return s.r.log(), nil }); err != nil {
		t.Errorf("the log: %v", err)
	}
}

// AwaitFile waits for a line that matches in a file of the prefix.
func (s *Server) AwaitFile(t *testing.T, name, pattern string) {
	t.Helper()
	if err := s.r.expectFile(name, "~ "+pattern); err != nil {
		t.Error(err)
	}
}

// Reload sends HUP and waits for a new worker.
func (s *Server) Reload() error { return s.r.reload(Step{}) }

// Workers are the process ids of the workers.
func (s *Server) Workers() []int { return s.r.server.children() }

// keyPair is what certificate makes.
type keyPair struct{ cert, key string }

// certificate makes a certificate for localhost that is signed with its own key, in PEM. All of a process have the same.
var certificate = sync.OnceValues(func() (pair keyPair, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return pair, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return pair, err
	}
	pair.cert = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	pair.key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return pair, nil
})
