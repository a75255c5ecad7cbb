package resolver

import (
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Code says why a name was not resolved: the server's RCODE (RFC 1035,
// 4.1.1), or one of the others below.
type Code int

const (
	FormatError   Code = 1
	ServerFailure Code = 2
	NotFound      Code = 3 // also for an answer without addresses
	Unimplemented Code = 4
	Refused       Code = 5
	TimedOut           = Code(unix.ETIMEDOUT)

	// NoResolver: there are no servers to ask.
	NoResolver Code = -1
)

// String returns nginx's words for the code, as ngx_resolver_strerror().
func (c Code) String() string {
	switch c {
	case FormatError:
		return "Format error"
	case ServerFailure:
		return "Server failure"
	case NotFound:
		return "Host not found"
	case Unimplemented:
		return "Unimplemented"
	case Refused:
		return "Operation refused"
	case TimedOut:
		return "Operation timed out"
	}
	return "Unknown error"
}

// Error is a name that was not resolved.
type Error struct {
	Name  string // as asked for, in lower case
	Code  Code
	Valid time.Time // until when asking again is of no use; may be zero
}

// Error returns `example.com could not be resolved (3: Host not found)`, or
// `no resolver defined to resolve example.com`.
func (e *Error) Error() string {
	if e.Code == NoResolver {
		return "no resolver defined to resolve " + e.Name
	}
	return e.Name + " could not be resolved (" + strconv.Itoa(int(e.Code)) + ": " + e.Code.String() + ")"
}

// answerError is why a response is dropped, in nginx's words where it has
// them.
type answerError string

func (e answerError) Error() string { return string(e) }

func answerErrorf(format string, args ...any) error {
	return answerError(fmt.Sprintf(format, args...))
}

// serverError is a response that does not answer its question.
type serverError struct {
	code Code
	id   uint16
	name string // that was asked for, if known
}

func (e *serverError) Error() string {
	s := fmt.Sprintf("DNS error (%d: %s), query id:%d", int(e.code), e.code, e.id)
	if e.name != "" {
		s += `, name:"` + e.name + `"`
	}
	return s
}
