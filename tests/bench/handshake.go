package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// overHTTPS is a server of the cases of handshakes, which all end with a request: TLS 1.3, whose sessions come behind the
// handshake, is not on by default in older nginx.
const overHTTPS = `server { listen 127.0.0.1:%CLIENT% ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem;
	ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:bench:4m; location / { return 200 "hello\n"; } }`

// handshakeCases are the rows about TLS connections rather than what goes over them.
var handshakeCases = []benchCase{
	{name: "tls-full", title: "a TLS 1.3 connection (ECDSA P-256) with a request", measure: handshakes, http: overHTTPS,
		tls: &tls.Config{InsecureSkipVerify: true}},
	{name: "tls-resumed", title: "the same with a session that is resumed", measure: handshakes, http: overHTTPS,
		tls: &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(0)}},
	{name: "tls12-full", title: "a TLS 1.2 connection (ECDSA P-256) with a request", measure: handshakes, http: overHTTPS,
		tls: &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}},
	{name: "tls12-resumed", title: "the same with a session that is resumed", measure: handshakes, http: overHTTPS,
		tls: &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)}},
	{name: "tls-idle", title: "memory for each idle keep-alive connection of TLS", measure: idleSecure, http: overHTTPS,
		uri: "/", server: `location / { return 200 "hello\n"; }`, tls: &tls.Config{InsecureSkipVerify: true}},
}

// handshakes drives each target with new connections in turns.
func handshakes(ctx context.Context, o *options, c benchCase, targets []*target) (*result, error) {
	r := newResult(c, "CPU µs/connection", "user µs", "system µs", "connections/s", "resumed %")
	c, err := c.withCertificate()
	if err != nil {
		return nil, err
	}
	return r, inTurns(ctx, o, c, targets, r, (*running).handshakes)
}

// idleSecure is idle over TLS.
func idleSecure(ctx context.Context, o *options, c benchCase, targets []*target) (*result, error) {
	c, err := c.withCertificate()
	if err != nil {
		return nil, err
	}
	return idle(ctx, o, c, targets)
}

// handshakes opens connections for that long, eight at a time, and returns the values of a row.
func (s *running) handshakes(ctx context.Context, _ *options, c benchCase, duration time.Duration) ([]float64, error) {
	const clients = 8
	config := c.tls.Clone()
	config.ServerName = s.target.name // each server has sessions of its own
	before, err := s.cpu()
	if err != nil {
		return nil, err
	}
	var done, resumed atomic.Int64
	errs := make([]error, clients)
	begin := time.Now()
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for errs[i] == nil && ctx.Err() == nil && time.Since(begin) < duration {
				var reused bool
				if reused, errs[i] = s.shake(config); reused {
					resumed.Add(1)
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", s.target.name, err, s.lastError())
	}
	took := time.Since(begin).Seconds()
	after, err := s.cpu()
	if err != nil {
		return nil, err
	}
	n, spent := float64(done.Load()), after.sub(before)
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / n }
	return []float64{each(spent.total()), each(spent.user), each(spent.system), n / took, 100 * float64(resumed.Load()) / n}, nil
}

// shake opens a connection, makes a request and closes it.
func (s *running) shake(config *tls.Config) (resumed bool, err error) {
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.clientPort)))
	if err != nil {
		return false, err
	}
	defer conn.Close()
	secure := tls.Client(conn, config)
	if err := ask(secure, "/"); err != nil {
		return false, err
	}
	return secure.ConnectionState().DidResume, nil
}
