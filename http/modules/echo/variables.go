package echo

import (
	"strconv"

	"moongate/core/buf"
	"moongate/http"
)

var variables = []http.Variable{
	{Name: "echo_timer_elapsed", Get: getTimerElapsed, Volatile: true},
	{Name: "echo_request_method", Volatile: true,
		Get: func(r *http.Request, _ any) http.Value { return nonEmpty(r.MethodName) }},
	{Name: "echo_client_request_method", Volatile: true,
		Get: func(r *http.Request, _ any) http.Value { return nonEmpty(r.Main.MethodName) }},
	{Name: "echo_cacheable_request_uri", Get: getURI},
	{Name: "echo_request_uri", Get: getURI, Volatile: true},
	{Name: "echo_request_body", Get: getRequestBody, Volatile: true},
	{Name: "echo_client_request_headers", Get: getClientHeaders, Volatile: true},
	{Name: "echo_it", Get: getIt, Volatile: true},
	{Name: "echo_incr", Get: getIncr, Volatile: true},
	{Name: "echo_response_status", Get: getStatus, Volatile: true},
}

func nonEmpty(s string) http.Value { return http.Value{S: s, Found: s != ""} }

func getURI(r *http.Request, _ any) http.Value { return nonEmpty(r.URI) }

// getTimerElapsed is the time since the request began, or since
// echo_reset_timer, in seconds.
func getTimerElapsed(r *http.Request, _ any) http.Value {
	begin := r.Start
	if x := state.Of(r); x != nil && !x.begin.IsZero() {
		begin = x.begin
	}
	r.Loop().UpdateTime()
	ms := max(r.Loop().Now().Sub(begin).Milliseconds(), 0)
	b := strconv.AppendInt(r.Pool.Alloc(32)[:0], ms/1000, 10)
	ms %= 1000
	return http.Val(buf.String(append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))))
}

// getRequestBody is the body if it was read and is in memory.
func getRequestBody(r *http.Request, _ any) http.Value {
	if r.Body == nil || r.Body.File != nil {
		return http.Value{}
	}
	return nonEmpty(buf.String(r.Body.Bytes))
}

// rawHeader is a Stream that has the header as it came.
type rawHeader interface {
	RawHeader(r *http.Request) string
}

func getClientHeaders(r *http.Request, _ any) http.Value {
	s, ok := r.Main.Stream.(rawHeader)
	if !ok {
		return http.Value{}
	}
	return http.Val(s.RawHeader(r.Main))
}

func getIt(r *http.Request, _ any) http.Value {
	x := state.Of(r)
	if x == nil || x.loop == nil {
		return http.Value{}
	}
	return http.Value{S: x.loop.it, Found: x.loop.present}
}

// getIncr counts its uses in a main request that echo handles.
func getIncr(r *http.Request, _ any) http.Value {
	x := state.Of(r.Main)
	if x == nil {
		return http.Value{}
	}
	x.count++
	return http.Val(r.Pool.Int(x.count))
}

func getStatus(r *http.Request, _ any) http.Value {
	if r.Out.Status == 0 {
		return http.Value{}
	}
	return http.Val(r.Pool.Int(int64(r.Out.Status)))
}
