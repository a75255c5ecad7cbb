package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"time"

	"moongate/http/wire/http2"
)

// streamsPerConn is how many requests wait on one connection of HTTP/2: fewer than http2_max_concurrent_streams. So the
// number of requests is not bounded by that of descriptors a process may have.
const streamsPerConn = 100

// sleeping measures the memory a worker takes for each request that waits in ngx.sleep. All of them must be answered.
func sleeping(ctx context.Context, o *options, c benchCase, targets []*target) (*result, error) {
	r := newResult(c, "RSS bytes/request", "RSS MB before", "RSS MB waiting", "start s", "CPU s")
	conns := (o.waiting + streamsPerConn - 1) / streamsPerConn
	r.Notes = append(r.Notes, fmt.Sprintf("%d requests on %d connections, each in ngx.sleep(%d)", conns*streamsPerConn, conns, o.sleep))
	c.server = fmt.Sprintf("%s\nset $seconds %d;", c.server, o.sleep)
	for _, t := range targets {
		if why := t.misses(c); why != "" {
			r.Notes = append(r.Notes, t.name+": "+why)
			continue
		}
		if err := t.sleeping(ctx, c, conns, time.Duration(o.sleep)*time.Second, r); err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return r, nil
}

func (t *target) sleeping(ctx context.Context, c benchCase, conns int, d time.Duration, r *result) error {
	s, err := t.run(ctx, c)
	if err != nil {
		return err
	}
	defer s.stop()
	before, err := s.usage()
	if err != nil {
		return err
	}
	begin := time.Now()
	answers := make(chan error, conns)
	for range conns {
		conn, err := net.Dial("unix", filepath.Join(s.prefix, "h2.sock"))
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := sendSleepers(conn, c.uri); err != nil {
			return err
		}
		go func() { answers <- awaitSleepers(conn, begin.Add(2*d+time.Minute)) }()
	}
	started := time.Since(begin)
	if started > d {
		return fmt.Errorf("starting the requests took %v, longer than they wait", started)
	}
	// The worker takes the last requests in while the first ones wait; it has most of the time for that.
	select {
	case err := <-answers:
		return fmt.Errorf("answered too early: %v", err)
	case <-time.After((d - started) / 2):
	}
	waiting, err := s.rss()
	if err != nil {
		return err
	}
	for range conns {
		if err := <-answers; err != nil {
			return err
		}
	}
	after, err := s.usage()
	if err != nil {
		return err
	}
	r.add(t.name, float64(waiting-before.rss)/float64(conns*streamsPerConn), float64(before.rss)/1e6, float64(waiting)/1e6,
		started.Seconds(), after.cpu.sub(before.cpu).total().Seconds())
	return nil
}

// sendSleepers begins a connection of HTTP/2 with its requests.
func sendSleepers(conn net.Conn, uri string) error {
	fields := http2.AppendMethod(nil, "GET")
	fields = http2.AppendScheme(fields, false)
	fields = http2.AppendPath(fields, uri)
	fields = http2.AppendAuthority(fields, "bench")
	out := []byte(http2.Preface)
	out = http2.AppendHead(out, 0, http2.FrameSettings, 0, 0)
	for i := range uint32(streamsPerConn) {
		out = http2.AppendHead(out, len(fields), http2.FrameHeaders, http2.FlagEndStream|http2.FlagEndHeaders, 2*i+1)
		out = append(out, fields...)
	}
	_, err := conn.Write(out)
	return err
}

// status200 is how a header block begins with ":status: 200", from the static table.
const status200 = 0x88

// awaitSleepers reads the answers, all of which must be 200.
func awaitSleepers(conn net.Conn, deadline time.Time) error {
	conn.SetReadDeadline(deadline)
	in := bufio.NewReader(conn)
	for left := streamsPerConn; left > 0; {
		var head [http2.HeadSize]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return err
		}
		frame, size := http2.ParseHead(head[:])
		payload := make([]byte, size)
		if _, err := io.ReadFull(in, payload); err != nil {
			return err
		}
		switch frame.Kind {
		case http2.FrameHeaders:
			if len(payload) == 0 || payload[0] != status200 {
				return fmt.Errorf("not status 200: % x", payload)
			}
			left--
		case http2.FrameGoaway, http2.FrameRST:
			return fmt.Errorf("a frame of type %d instead of an answer", frame.Kind)
		}
	}
	return nil
}
