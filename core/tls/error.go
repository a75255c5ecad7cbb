package tls

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"moongate/core/log"

	"golang.org/x/sys/unix"
)

// Error is a failure in the words of OpenSSL 3: the call that failed and the
// entries of its error queue, the way ngx_ssl_error prints them.
type Error struct {
	// What failed: "PEM_read_bio_PrivateKey() failed".
	What string
	// Queue has entries such as "0480006C:PEM routines::no start line".
	Queue []string
}

// Error implements error.
func (e *Error) Error() string {
	if len(e.Queue) == 0 {
		return e.What
	}
	var b strings.Builder
	b.WriteString(e.What)
	b.WriteString(" (SSL:")
	for _, q := range e.Queue {
		b.WriteString(" error:")
		b.WriteString(q)
	}
	b.WriteByte(')')
	return b.String()
}

// Prefixed returns the error with words before it: `cannot load certificate
// "…": `.
func Prefixed(err error, format string, args ...any) error {
	var e *Error
	if errors.As(err, &e) {
		return &Error{What: fmt.Sprintf(format, args...) + e.What, Queue: e.Queue}
	}
	return &Error{What: fmt.Sprintf(format, args...) + err.Error()}
}

// openError is the error of a file that BIO_new_file cannot open.
func openError(what, name, mode string, err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return &Error{What: what, Queue: []string{"10080002:BIO routines::system lib:" + err.Error()}}
	}
	reason := "10080002:BIO routines::system lib"
	if errno == unix.ENOENT || errno == unix.ENXIO {
		reason = "10000080:BIO routines::no such file"
	}
	return &Error{What: what, Queue: []string{
		fmt.Sprintf("%08X:system library::%s:calling fopen(%s, %s)", 0x80000000|int(errno), log.Strerror(errno), name, mode),
		reason,
	}}
}

// Failed is what failed, without OpenSSL's queue: "d2i_X509_bio() failed".
func Failed(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.What
	}
	return err.Error()
}
