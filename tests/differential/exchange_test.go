package differential

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net"
	"net/http/httputil"
	"os"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// request composes a request after whose answer the server closes.
func request(line string, fields ...string) ask {
	text := line + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
	for _, f := range fields {
		text += f + "\r\n"
	}
	return ask{pieces: [][]byte{[]byte(text + "\r\n")}}
}

// send sends it to a server and returns everything until the server closes, and how it does.
func (q ask) send(address string) []byte {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return []byte(err.Error())
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	go q.write(c.(*net.TCPConn))
	said, err := io.ReadAll(c)
	switch {
	case err == nil:
		return said
	case errors.Is(err, os.ErrDeadlineExceeded):
		return append(said, "<timeout>"...)
	case errors.Is(err, syscall.ECONNRESET):
		return append(said, "<reset>"...)
	}
	return append(said, err.Error()...)
}

// write sends the pieces. That the server may close before the last is part of what is compared.
func (q ask) write(c *net.TCPConn) {
	for i, piece := range q.pieces {
		if i > 0 {
			time.Sleep(20 * time.Millisecond)
		}
		if _, err := c.Write(piece); err != nil {
			return
		}
	}
	if q.fin {
		c.CloseWrite()
	}
}

// decode decodes a chunked or compressed response: where chunks end, and how well a text is compressed, is open.
func decode(said []byte) []byte {
	head, body, ok := bytes.Cut(said, []byte("\r\n\r\n"))
	if !ok {
		return said
	}
	if bytes.Contains(head, []byte("\r\nTransfer-Encoding: chunked")) {
		body = readAll(httputil.NewChunkedReader(bytes.NewReader(body)))
	}
	if bytes.Contains(head, []byte("\r\nContent-Encoding: gzip")) && len(body) > 0 {
		if r, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			body = readAll(r)
		}
	}
	return slices.Concat(head, []byte("\r\n\r\n"), body)
}

// cutOff marks a coded body that does not come to its end.
const cutOff = "<cut off>"

func readAll(r io.Reader) []byte {
	text, err := io.ReadAll(r)
	if err != nil {
		text = append(text, cutOff...)
	}
	return text
}

var (
	date     = regexp.MustCompile(`\r\nDate: ([^\r]*)`)
	expires  = regexp.MustCompile(`\r\nExpires: ([^\r]*)`)
	boundary = regexp.MustCompile(`(boundary=|--)\d{20}`)
)

// normal takes out what is different each time: the date, an Expires of some time
// from now, and the boundary of ranges.
func normal(said string) string {
	if m := date.FindStringSubmatch(said); m != nil {
		now, _ := time.Parse(time.RFC1123, m[1])
		said = expires.ReplaceAllStringFunc(said, func(field string) string {
			then, err := time.Parse(time.RFC1123, expires.FindStringSubmatch(field)[1])
			if away := then.Sub(now) / time.Second; err == nil && away%10 == 0 {
				return "\r\nExpires: now+" + strconv.Itoa(int(away))
			}
			return field
		})
	}
	return boundary.ReplaceAllString(date.ReplaceAllString(said, ""), "${1}B")
}
