package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	failoverPeers = 3
	// failoverDelay is how long a peer takes for a response, so that every client has a request under way.
	failoverDelay = 500 * time.Millisecond
	// downtime is how long a peer that was killed stays away, of each second.
	downtime = 300 * time.Millisecond
	// settling is how long after the load the memory is measured.
	settling = 10 * time.Second
)

// failover measures what clients notice of peers that are killed and restarted, one of three each second, and what it
// leaves behind in the worker. The peers are in this process: to kill one is to reset its connections.
func failover(ctx context.Context, o *options, c benchCase, targets []*target) (*result, error) {
	r := newResult(c, "errors", "requests", "descriptors before", "descriptors after", "RSS MB before", "RSS MB under load", "RSS MB after")
	r.Notes = append(r.Notes, fmt.Sprintf("%d clients for %v; errors are other statuses than 200 and connections that break", o.clients, o.failover))
	peers := make([]*peer, failoverPeers)
	for i := range peers {
		peers[i] = &peer{}
		if err := peers[i].listen("127.0.0.1:0"); err != nil {
			return nil, err
		}
		defer peers[i].kill()
		c.http += fmt.Sprintf("server %s max_fails=0;\n", peers[i].addr)
	}
	c.http = "upstream peers {\n" + c.http + "keepalive 64;\n}\n"
	for _, t := range targets {
		if err := t.failover(ctx, o, c, peers, r); err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return r, nil
}

// peer is a server that can be killed.
type peer struct {
	addr string

	mu       sync.Mutex
	listener net.Listener
	conns    map[*net.TCPConn]bool
}

func (p *peer) listen(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.addr, p.listener, p.conns = l.Addr().String(), l, make(map[*net.TCPConn]bool)
	p.mu.Unlock()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tcp := c.(*net.TCPConn)
			p.mu.Lock()
			alive := p.listener == l
			if alive {
				p.conns[tcp] = true
			}
			p.mu.Unlock()
			if !alive {
				reset(tcp)
				continue
			}
			go p.serve(tcp)
		}
	}()
	return nil
}

func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	c.Close()
}

// kill ends the peer as a process ends.
func (p *peer) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener.Close()
	p.listener = nil
	for c := range p.conns {
		reset(c)
	}
	clear(p.conns)
}

func (p *peer) serve(c *net.TCPConn) {
	defer func() {
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
		c.Close()
	}()
	in := bufio.NewReaderSize(c, 1024)
	for {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		time.Sleep(failoverDelay)
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"); err != nil {
			return
		}
	}
}

func (t *target) failover(ctx context.Context, o *options, c benchCase, peers []*peer, r *result) error {
	s, err := t.run(ctx, c)
	if err != nil {
		return err
	}
	defer s.stop()
	// What the same load costs without failures is the level that the memory has to return to.
	t.clients(ctx, s, o.clients, 2*time.Second)
	if err := s.quiet(ctx); err != nil {
		return err
	}
	descriptors, rss := s.descriptors(), int64(0)
	if rss, err = s.rss(); err != nil {
		return err
	}
	load, cancel := context.WithTimeout(ctx, o.failover)
	defer cancel()
	killed := make(chan error, 1)
	go func() { killed <- killInTurn(load, peers) }()
	requests, errors := t.clients(ctx, s, o.clients, o.failover)
	loaded, err := s.rss()
	if err != nil {
		return err
	}
	if err := <-killed; err != nil {
		return err
	}
	if err := s.quiet(ctx); err != nil {
		return err
	}
	after, err := s.rss()
	r.add(t.name, float64(errors), float64(requests), float64(descriptors), float64(s.descriptors()),
		float64(rss)/1e6, float64(loaded)/1e6, float64(after)/1e6)
	return err
}

// quiet waits until the worker has dealt with the end of a load.
func (s *running) quiet(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settling):
		return nil
	}
}

// killInTurn kills a peer each second and restarts it a little later.
func killInTurn(ctx context.Context, peers []*peer) error {
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second - downtime):
		}
		p := peers[i%len(peers)]
		p.kill()
		time.Sleep(downtime)
		if err := p.listen(p.addr); err != nil {
			return err
		}
	}
}

// clients has n clients ask for d, one request after the other on a connection each.
func (t *target) clients(ctx context.Context, s *running, n int, d time.Duration) (requests, errors int64) {
	var all, failed atomic.Int64
	var group sync.WaitGroup
	end := time.Now().Add(d)
	for i := range n {
		group.Go(func() {
			time.Sleep(time.Duration(i) * time.Second / time.Duration(n)) // not all at once
			for time.Now().Before(end) && ctx.Err() == nil {
				asked, err := s.askUntil(end)
				all.Add(asked)
				if err != nil {
					failed.Add(1)
				}
			}
		})
	}
	group.Wait()
	return all.Load(), failed.Load()
}

// askUntil asks on one connection until the time is over or something goes wrong.
func (s *running) askUntil(end time.Time) (asked int64, err error) {
	conn, err := net.DialTimeout("tcp", s.address(), 10*time.Second)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 512)
	for time.Now().Before(end) {
		asked++
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"); err != nil {
			return asked, err
		}
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			return asked, err
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return asked, err
		}
		if response.StatusCode != http.StatusOK {
			return asked, fmt.Errorf("status %s", response.Status)
		}
	}
	return asked, nil
}
