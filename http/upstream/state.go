package upstream

// unset is a time that has not come.
const unset = -1

// State is what is known of one try: nginx's ngx_http_upstream_state_t. Times
// are in milliseconds. One without a peer separates the tries before and after
// an internal redirect.
type State struct {
	Status                                   int
	ConnectTime, HeaderTime, ResponseTime    int64
	ResponseLength, BytesReceived, BytesSent int64
	Peer                                     string
}

// newState begins the record of another try.
func (e *Exchange) newState() {
	e.R.Conn.Action = "connecting to upstream"
	now := e.Msec()
	if s := e.state; s != nil && s.ResponseTime == unset {
		s.ResponseTime = now - e.start
	}
	e.start = now
	e.states = append(e.states, State{ConnectTime: unset, HeaderTime: unset, ResponseTime: unset})
	e.state = &e.states[len(e.states)-1]
}
