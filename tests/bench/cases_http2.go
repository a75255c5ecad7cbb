package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Servers of the cases of HTTP/2. The parameter of listen is what Debian's nginx knows; newer ones have a directive.
const (
	overTLS = `server { listen 127.0.0.1:%CLIENT% ssl http2; root html; ssl_certificate cert.pem; ssl_certificate_key key.pem; }`
	overTCP = `server { listen 127.0.0.1:%CLIENT% http2; root html; }`
)

// http2Cases are the rows of HTTP/2, and of HTTP/1.1 over TLS, which h2load speaks too.
var http2Cases = []benchCase{
	{
		name: "h2-streams", title: "a file of 1 KB, 100 streams of HTTP/2 over TLS", measure: multiplexed, http: overTLS,
		h2load: []string{"-c1", "-m100", "https://127.0.0.1:%CLIENT%/1k.txt"},
		files:  map[string]string{"html/1k.txt": strings.Repeat("0123456789abcde\n", 64)},
	},
	{
		name: "h2c-streams", title: "the same without TLS", measure: multiplexed, http: overTCP,
		h2load: []string{"-c1", "-m100", "http://127.0.0.1:%CLIENT%/1k.txt"},
		files:  map[string]string{"html/1k.txt": strings.Repeat("0123456789abcde\n", 64)},
	},
	{
		name: "h2-clients", title: "a file of 1 KB, 32 clients of HTTP/2 with a stream each", measure: multiplexed, http: overTLS,
		h2load: []string{"-c32", "-m1", "https://127.0.0.1:%CLIENT%/1k.txt"},
		files:  map[string]string{"html/1k.txt": strings.Repeat("0123456789abcde\n", 64)},
	},
	{
		name: "h2-1m", title: "a file of 1 MB over HTTP/2 and TLS", measure: multiplexed, http: overTLS,
		h2load: []string{"-c4", "-m4", "-w24", "-W24", "https://127.0.0.1:%CLIENT%/1m.txt"},
		files:  map[string]string{"html/1m.txt": strings.Repeat("0123456789abcde\n", 65536)},
	},
	{
		name: "https-1k", title: "a file of 1 KB over HTTP/1.1 and TLS, kept alive", measure: multiplexed, http: overTLS,
		h2load: []string{"-c32", "--h1", "https://127.0.0.1:%CLIENT%/1k.txt"},
		files:  map[string]string{"html/1k.txt": strings.Repeat("0123456789abcde\n", 64)},
	},
	{
		name: "https-1m", title: "a file of 1 MB over HTTP/1.1 and TLS", measure: multiplexed, http: overTLS,
		h2load: []string{"-c8", "--h1", "https://127.0.0.1:%CLIENT%/1m.txt"},
		files:  map[string]string{"html/1m.txt": strings.Repeat("0123456789abcde\n", 65536)},
	},
}

// multiplexed drives each target with h2load in turns.
func multiplexed(ctx context.Context, o *options, c benchCase, targets []*target) (*result, error) {
	r := newResult(c, "CPU µs/request", "user µs", "system µs", "requests/s", "RSS MB")
	c, err := c.withCertificate()
	if err != nil {
		return nil, err
	}
	return r, inTurns(ctx, o, c, targets, r, (*running).h2load)
}

// withCertificate adds the files that servers of TLS need.
func (c benchCase) withCertificate() (benchCase, error) {
	cert, key, err := certificate()
	files := map[string]string{"conf/cert.pem": cert, "conf/key.pem": key}
	maps.Copy(files, c.files)
	c.files = files
	return c, err
}

var (
	h2loadRequests = regexp.MustCompile(`(\d+) succeeded, 0 failed, 0 errored, 0 timeout`)
	h2loadRate     = regexp.MustCompile(`finished in .*, ([\d.]+) req/s`)
)

// h2load runs h2load once and returns the values of a row.
func (s *running) h2load(ctx context.Context, _ *options, c benchCase, duration time.Duration) ([]float64, error) {
	before, err := s.cpu()
	if err != nil {
		return nil, err
	}
	args := []string{"-D", strconv.Itoa(max(1, int(duration.Round(time.Second)/time.Second)))}
	for _, arg := range c.h2load {
		args = append(args, strings.ReplaceAll(arg, "%CLIENT%", strconv.Itoa(s.clientPort)))
	}
	out, err := exec.CommandContext(ctx, "h2load", args...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("h2load: %w: %s", err, out)
	}
	after, err := s.cpu()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.target.name, err)
	}
	requests, err := number(h2loadRequests, out)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", s.target.name, err, s.lastError())
	}
	rate, err := number(h2loadRate, out)
	if err != nil {
		return nil, err
	}
	rss, err := s.rss()
	if err != nil {
		return nil, err
	}
	spent := after.sub(before)
	perRequest := func(d time.Duration) float64 { return float64(d.Microseconds()) / requests }
	return []float64{perRequest(spent.total()), perRequest(spent.user), perRequest(spent.system), rate, float64(rss) / 1e6}, nil
}

// certificate makes a certificate for 127.0.0.1 with a key for ECDSA, in PEM.
func certificate() (cert, key string, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		return "", "", err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return "", "", err
	}
	cert = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})), nil
}
