package wire

// Error is why a request or a part of it cannot be parsed. Its text is the
// message nginx logs at level info, without " while reading …".
type Error uint8

// The errors of a request line, and of a header line, whose message the
// caller makes from the line.
const (
	ErrMethod Error = iota + 1
	ErrRequest
	ErrVersion
	ErrMethod09
	ErrHeader
)

var errorTexts = [...]string{
	ErrMethod:   "client sent invalid method",
	ErrRequest:  "client sent invalid request",
	ErrVersion:  "client sent invalid version",
	ErrMethod09: "client sent invalid method in HTTP/0.9 request",
	ErrHeader:   "client sent invalid header line",
}

// Error implements error.
func (e Error) Error() string { return errorTexts[e] }

// Status is the status to answer with.
func (e Error) Status() int {
	if e == ErrVersion {
		return 505
	}
	return 400
}
