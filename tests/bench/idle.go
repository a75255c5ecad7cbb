package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// perClient is how many connections are opened from each client address, far from the number of ports of one.
const perClient = 5000

// idle measures the memory a worker takes for each keep-alive connection that waits for its next request.
func idle(ctx context.Context, o *options, c benchCase, targets []*target) (*result, error) {
	r := newResult(c, "RSS bytes/connection", "RSS MB before", "RSS MB after", "CPU s")
	r.Notes = append(r.Notes, fmt.Sprintf("%d connections, each after one request", o.idle))
	for _, t := range targets {
		if err := t.idle(ctx, o, c, r); err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return r, nil
}

func (t *target) idle(ctx context.Context, o *options, c benchCase, r *result) error {
	s, err := t.run(ctx, c)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := s.wrk(ctx, o, c, time.Second); err != nil {
		return err
	}
	before, err := s.usage()
	if err != nil {
		return err
	}
	conns := make([]net.Conn, 0, o.idle)
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	for i := range o.idle {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i/perClient))}, Timeout: 10 * time.Second}
		address := s.address()
		if c.tls != nil {
			address = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.clientPort))
		}
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		if c.tls != nil {
			conn = tls.Client(conn, c.tls)
		}
		conns = append(conns, conn)
		if err := ask(conn, c.uri); err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
	}
	after, err := s.usage()
	if err != nil {
		return err
	}
	// The first and the last connection must have been kept.
	for _, conn := range []net.Conn{conns[0], conns[len(conns)-1]} {
		if err := ask(conn, c.uri); err != nil {
			return fmt.Errorf("an idle connection was not kept: %w", err)
		}
	}
	r.add(t.name, float64(after.rss-before.rss)/float64(o.idle), float64(before.rss)/1e6, float64(after.rss)/1e6,
		after.cpu.sub(before.cpu).total().Seconds())
	return nil
}

// ask makes one request on a connection and reads its answer.
func ask(conn net.Conn, uri string) error {
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, "GET "+uri+" HTTP/1.1\r\nHost: bench\r\n\r\n"); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
