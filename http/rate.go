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
	n := int64(math.MaxInt64)
	for r.LimitRate > 0 { // $limit_rate may become 0 meanwhile
		n = r.LimitRate*(r.Loop().Now().Unix()-r.Start.Unix()+1) - (r.BytesSent - r.LimitRateAfter)
		if n > 0 {
			break
		}
		if err := r.pause(-n*1000/r.LimitRate + 1); err != nil {
			return 0, err
		}
		n = math.MaxInt64
	}
	if chunk := r.Core.SendfileMaxChunk.V; chunk > 0 {
		n = min(n, chunk)
	}
	return n, nil
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
func (r *Request) pause(ms int64) error {
	f := r.Loop().Current()
	r.WatchClient(f)
	defer r.UnwatchClient(f)
	return r.Loop().Sleep(time.Duration(ms) * time.Millisecond)
}
