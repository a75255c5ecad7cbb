package http

// EarlyHinter is a Stream that can send responses with status 103 before the
// final one.
type EarlyHinter interface {
	// SendEarlyHints sends the fields at once, if there are any and the
	// client's protocol has such responses.
	SendEarlyHints(r *Request, fields []Header) error
}
