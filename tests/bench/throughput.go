package main

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// throughput drives each target with wrk in turns, after a short warm-up.
func throughput(ctx context.Context, o *options, c benchCase, targets []*target) (*result, error) {
	r := newResult(c, "CPU µs/request", "user µs", "system µs", "requests/s", "p50 µs", "p99 µs", "RSS MB")
	return r, inTurns(ctx, o, c, targets, r, (*running).wrk)
}

// driver runs a client against a server for that long, and returns the values of a row.
type driver func(*running, context.Context, *options, benchCase, time.Duration) ([]float64, error)

// inTurns starts the targets and drives each in turns, after a short warm-up.
func inTurns(ctx context.Context, o *options, c benchCase, targets []*target, r *result, drive driver) error {
	if c.redis {
		redis, err := startRedis(ctx)
		if err != nil {
			return err
		}
		defer redis.stop()
		c.redisPort = redis.port
	}
	if c.backend != "" {
		backend, err := startBackend(ctx, c, targets[0])
		if err != nil {
			return err
		}
		defer backend.stop()
		c.backendPort = backend.port
	}
	var servers []*running
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	for _, t := range targets {
		if reason := t.misses(c); reason != "" {
			r.Notes = append(r.Notes, t.name+": "+reason)
			continue
		}
		s, err := t.prepare(c, "")
		if err != nil {
			return err
		}
		servers = append(servers, s)
		profile := ""
		if o.profile != "" && t.modules == "" {
			profile = o.profile + "-" + c.name + ".prof"
		}
		if err := s.start(ctx, profile); err != nil {
			return err
		}
		if _, err := drive(s, ctx, o, c, 500*time.Millisecond); err != nil {
			return err
		}
	}
	for range o.rounds {
		for _, s := range servers {
			values, err := drive(s, ctx, o, c, o.duration)
			if err != nil {
				return err
			}
			r.add(s.target.name, values...)
		}
	}
	return nil
}

// startBackend starts the upstream of a case.
func startBackend(ctx context.Context, c benchCase, t *target) (*running, error) {
	s, err := t.prepare(benchCase{name: c.name + "-backend", uri: c.uri, server: c.backend, files: c.files}, "")
	if err != nil {
		return nil, err
	}
	return s, s.start(ctx, "")
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in`)
	wrkRate     = regexp.MustCompile(`Requests/sec: +([\d.]+)`)
	wrkP50      = regexp.MustCompile(`50% +([\d.]+)(us|ms|s)`)
	wrkP99      = regexp.MustCompile(`99% +([\d.]+)(us|ms|s)`)
	wrkTrouble  = regexp.MustCompile(`Non-2xx.*|Socket errors.*`)
)

// wrk runs wrk once and returns the values of a throughput row.
func (s *running) wrk(ctx context.Context, o *options, c benchCase, duration time.Duration) ([]float64, error) {
	before, err := s.cpu()
	if err != nil {
		return nil, err
	}
	seconds := strconv.Itoa(max(1, int(duration.Round(time.Second)/time.Second)))
	out, err := exec.CommandContext(ctx, "wrk", "-t1", "-c", strconv.Itoa(o.connections), "-d", seconds+"s", "--latency", "--timeout", "30s",
		"-H", cmp.Or(c.header, "Accept: */*"), "http://"+s.address()+c.uri).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("wrk: %w: %s", err, out)
	}
	after, err := s.cpu()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.target.name, err)
	}
	if trouble := wrkTrouble.Find(out); trouble != nil {
		return nil, fmt.Errorf("%s: %s: %s", s.target.name, trouble, s.lastError())
	}
	requests, err := number(wrkRequests, out)
	if err != nil {
		return nil, err
	}
	rate, err := number(wrkRate, out)
	if err != nil {
		return nil, err
	}
	p50, err := microseconds(wrkP50, out)
	if err != nil {
		return nil, err
	}
	p99, err := microseconds(wrkP99, out)
	if err != nil {
		return nil, err
	}
	rss, err := s.rss()
	if err != nil {
		return nil, err
	}
	spent := after.sub(before)
	perRequest := func(d time.Duration) float64 { return float64(d.Microseconds()) / requests }
	return []float64{perRequest(spent.total()), perRequest(spent.user), perRequest(spent.system), rate, p50, p99, float64(rss) / 1e6}, nil
}

// number finds the number in wrk's output that a pattern names.
func number(re *regexp.Regexp, out []byte) (float64, error) {
	m := re.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("the client said nothing that matches %v:\n%s", re, out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// microseconds finds a time in wrk's output.
func microseconds(re *regexp.Regexp, out []byte) (float64, error) {
	value, err := number(re, out)
	if err != nil {
		return 0, err
	}
	switch string(re.FindSubmatch(out)[2]) {
	case "s":
		value *= 1e6
	case "ms":
		value *= 1e3
	}
	return value, nil
}
