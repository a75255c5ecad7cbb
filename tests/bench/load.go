package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// load measures how long a configuration of many server blocks takes to be tested and to be started.
func load(ctx context.Context, o *options, c benchCase, targets []*target) (*result, error) {
	r := newResult(c, "-t ms", "-t CPU ms", "start ms", "RSS MB")
	r.Notes = append(r.Notes, fmt.Sprintf("%d server blocks of three locations", o.servers))
	var servers strings.Builder
	servers.WriteString("server_names_hash_max_size 65536;\n")
	for i := range o.servers {
		fmt.Fprintf(&servers, "server { listen 127.0.0.1:%%PORT%%; server_name s%d.example www.s%d.example; root html/s%d;\n"+
			"location / { index index.html; } location /a/ { return 200 a; } location ~ \\.php$ { return 404; } }\n", i, i, i)
	}
	for range o.rounds {
		for _, t := range targets {
			if err := t.load(ctx, c, servers.String(), r); err != nil {
				return nil, fmt.Errorf("%s: %w", t.name, err)
			}
		}
	}
	return r, nil
}

func (t *target) load(ctx context.Context, c benchCase, servers string, r *result) error {
	s, err := t.prepare(c, servers)
	if err != nil {
		return err
	}
	defer s.stop()
	test := s.command(ctx, "-q", "-t")
	begun := time.Now()
	if err := test.Run(); err != nil {
		return fmt.Errorf("-t: %w", err)
	}
	tested := time.Since(begun)
	begun = time.Now()
	if err := s.start(ctx, ""); err != nil {
		return err
	}
	started := time.Since(begun)
	rss, err := s.rss()
	if err != nil {
		return err
	}
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	r.add(t.name, milliseconds(tested), milliseconds(test.ProcessState.UserTime()+test.ProcessState.SystemTime()),
		milliseconds(started), float64(rss)/1e6)
	return nil
}
