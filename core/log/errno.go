package log

import (
	"bytes"
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// errnoText holds glibc's description of every Linux errno. Go's table is
// made from the same one but in lower case, and lacks the last errno.
var errnoText = func() [256]string {
	var table [256]string
	table[0] = "Success"
	for i := 1; i < len(table); i++ {
		text := []byte(unix.Errno(i).Error())
		if bytes.HasPrefix(text, []byte("errno ")) {
			continue
		}
		if 'a' <= text[0] && text[0] <= 'z' {
			text[0] -= 'a' - 'A'
		}
		table[i] = string(text)
	}
	table[unix.EHWPOISON] = "Memory page has hardware error"
	return table
}()

// Strerror is glibc's strerror text, "Unknown error" for a number that is no
// errno.
func Strerror(errno unix.Errno) string {
	if int(errno) < len(errnoText) && errnoText[errno] != "" {
		return errnoText[errno]
	}
	return "Unknown error"
}

// AppendError appends " (2: No such file or directory)" for an error that is
// or wraps an errno and " (text)" for any other; nothing for nil or errno 0.
func AppendError(b []byte, err error) []byte {
	if err == nil {
		return b
	}
	errno, ok := err.(unix.Errno)
	if !ok {
		errno, ok = wrappedErrno(err)
	}
	if !ok {
		b = append(b, " ("...)
		b = append(b, err.Error()...)
		return append(b, ')')
	}
	if errno == 0 {
		return b
	}
	b = append(b, " ("...)
	b = strconv.AppendUint(b, uint64(errno), 10)
	b = append(b, ": "...)
	b = append(b, Strerror(errno)...)
	return append(b, ')')
}

// wrappedErrno is apart because its variable is always on the heap.
func wrappedErrno(err error) (errno unix.Errno, ok bool) {
	ok = errors.As(err, &errno)
	return errno, ok
}
