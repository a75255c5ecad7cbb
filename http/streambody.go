package http

// BodyPoller is a Stream that can tell what has arrived of a request body.
type BodyPoller interface {
	// PollBody is Stream.ReadBody without waiting: Declined when nothing has
	// arrived.
	PollBody(r *Request, p []byte) (int, Verdict)
}

// StreamBody begins the reading of a body that is to be passed on as it
// arrives: nginx's request_body_no_buffering. It returns what has arrived, up to
// client_body_buffer_size. If that is all of it, the body counts as read and is
// r.Body. r must be a main request with a body.
func (r *Request) StreamBody() (first []byte, v Verdict) {
	if v := r.ExpectContinue(); v != OK {
		return nil, v
	}
	mem := r.Pool.Alloc(int(max(r.Core.ClientBodyBufferSize.V, 1)))
	n, done, v := r.PollBody(mem)
	switch {
	case v != OK:
		return nil, v
	case done:
		r.Body = &Body{Bytes: mem[:n], Size: int64(n)}
		return nil, OK
	}
	return mem[:n], OK
}

// PollBody reads what has arrived of the body without waiting, as much as p has
// room for; done reports that the body is complete.
func (r *Request) PollBody(p []byte) (n int, done bool, v Verdict) {
	s, ok := r.Stream.(BodyPoller)
	for ok && n < len(p) {
		m, v := s.PollBody(r, p[n:])
		switch {
		case v == Declined:
			return n, false, OK
		case v != OK:
			return n, false, v
		case m == 0:
			return n, true, OK
		}
		n += m
	}
	return n, false, OK
}
