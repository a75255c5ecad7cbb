package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const upgrade = "GET /ws HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

// tunnels measures the memory a worker takes for each WebSocket on which nothing happens. The peer is this process.
func tunnels(ctx context.Context, o *options, c benchCase, targets []*target) (*result, error) {
	r := newResult(c, "RSS bytes/tunnel", "RSS MB before", "RSS MB after")
	r.Notes = append(r.Notes, fmt.Sprintf("%d tunnels, two connections each", o.tunnels))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	go acceptTunnels(l)
	c.server = fmt.Sprintf(c.server, l.Addr())
	for _, t := range targets {
		if err := t.tunnels(ctx, o, c, r); err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return r, nil
}

// acceptTunnels takes tunnels and echoes what comes.
func acceptTunnels(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			if _, err := http.ReadRequest(bufio.NewReaderSize(c, 512)); err != nil {
				return
			}
			if _, err := io.WriteString(c, switching); err == nil {
				_, _ = io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{c}, make([]byte, 16))
			}
		}()
	}
}

func (t *target) tunnels(ctx context.Context, o *options, c benchCase, r *result) error {
	s, err := t.run(ctx, c)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := t.someTunnels(ctx, s, o.tunnels/100, nil); err != nil { // what the first ones cost
		return err
	}
	before, err := s.rss()
	if err != nil {
		return err
	}
	after := int64(0)
	err = t.someTunnels(ctx, s, o.tunnels, func() error {
		after, err = s.rss()
		return err
	})
	r.add(t.name, float64(after-before)/float64(o.tunnels), float64(before)/1e6, float64(after)/1e6)
	return err
}

// someTunnels opens n tunnels, sends a word through each, and calls then.
func (t *target) someTunnels(ctx context.Context, s *running, n int, then func() error) error {
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	for i := range n {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i/perClient))}, Timeout: 10 * time.Second}
		conn, err := dialer.DialContext(ctx, "tcp", s.address())
		if err != nil {
			return fmt.Errorf("tunnel %d: %w", i, err)
		}
		conns = append(conns, conn)
		if err := openTunnel(conn); err != nil {
			return fmt.Errorf("tunnel %d: %w", i, err)
		}
	}
	if then == nil {
		return nil
	}
	return then()
}

// openTunnel opens a tunnel and has a word echoed.
func openTunnel(conn net.Conn) error {
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, upgrade); err != nil {
		return err
	}
	in := bufio.NewReaderSize(conn, 512)
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("status %s", response.Status)
	}
	const word = "hello"
	if _, err := io.WriteString(conn, word); err != nil {
		return err
	}
	_, err = io.ReadFull(in, make([]byte, len(word)))
	return err
}
