package http

import "testing"

// TestRateLifted: a response that is held back goes on when $limit_rate becomes 0.
func TestRateLifted(t *testing.T) {
	r := testRequest(t, mustLoad(t, "server { }"))
	onLoop(t, r, func() {
		r.LimitRateSet, r.LimitRate = true, 1000
		r.BytesSent = 1001
		r.Loop().Go(func() { r.LimitRate = 0 })
		n, err := r.RateAllowance()
		if err != nil || n <= 0 {
			t.Errorf("%d bytes, %v", n, err)
		}
		if err := r.Pace(n); err != nil {
			t.Error(err)
		}
	})
}
