package http

import (
	"math"
	"time"

	"moongate/conf"
)

// Rate is the limit of the response in bytes per second (limit_rate), decided at
// its first byte; 0 is none.
func (r *Request) Rate() int64 {
	if !r.LimitRateSet {
		r.LimitRateSet = true
		r.LimitRate = r.size(r.Core.LimitRate.V)
	}
	return r.LimitRate
}

func (r *Request) size(c *Complex) int64 {
	if c == nil {
		return 0
	}
	n, _ := conf.ParseSize(c.Eval(r))
	return n
}

// RateAllowance is how many bytes may be sent now, at the Rate; it waits until
// there are some.
func (r *Request) RateAllowance() (int64, error) {
	if !r.LimitRateAfterSet {
		r.LimitRateAfterSet = true
		r.LimitRateAfter = r.size(r.Core.LimitRateAfter.V)
	}
	n := r.allowed()
	for ; n <= 0; n = r.allowed() { // $limit_rate may change meanwhile
		if err := r.pause(-n*1000/r.LimitRate + 1); err != nil {
			return 0, err
		}
	}
	if chunk := r.Core.SendfileMaxChunk.V; chunk > 0 {
		n = min(n, chunk)
	}
	return n, nil
}

// allowed is how many bytes the Rate has let through by now beyond what was
// sent, any number where there is no limit.
func (r *Request) allowed() int64 {
	if r.LimitRate <= 0 {
		return math.MaxInt64
	}
	seconds := r.Loop().Now().Unix() - r.Start.Unix() + 1
	return r.LimitRate*seconds - (r.BytesSent - r.LimitRateAfter)
}

// Pace waits for as long as the n bytes that were sent take at the Rate.
func (r *Request) Pace(n int64) error {
	if r.LimitRate == 0 {
		return nil
	}
	over := min(n, max(r.BytesSent-r.LimitRateAfter, 0))
	if d := over * 1000 / r.LimitRate; d > 0 {
		return r.pause(d)
	}
	return nil
}

// pause sleeps for that many milliseconds, or until the client goes away.
func (r *Request) pause(ms int64) error { return r.sleep(time.Duration(ms) * time.Millisecond) }
