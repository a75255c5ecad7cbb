package spec

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience bounds every wait of a spec for something that the server does.
const patience = 10 * time.Second

// conn is a client connection with the responses that are due on it.
type conn struct {
	net.Conn
	in      *bufio.Reader
	methods []string // of the requests sent and not yet answered
	last    *response
}

// dial connects to "host:port", "port" (on 127.0.0.1) or "unix:path".
func dial(address string) (*conn, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	} else if !strings.Contains(address, ":") {
		address = "127.0.0.1:" + address
	}
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, in: bufio.NewReader(c)}, nil
}

// send writes bytes; a server that has closed meanwhile is no error, since its answer is still to be read.
func (c *conn) send(data string) error {
	c.SetWriteDeadline(time.Now().Add(patience))
	_, err := io.WriteString(c.Conn, data)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return err
}

// request composes the request that a ">" line means: METHOD URI [HTTP/x.y] and header fields, separated by two
// spaces; a last field `body "…"` is the body, with its Content-Length unless that or Transfer-Encoding is given. Host
// is "localhost" unless given, and left out for "!Host".
func request(line string) (text, method string, err error) {
	fields := strings.Split(line, "  ")
	start := strings.TrimSpace(fields[0])
	method, _, ok := strings.Cut(start, " ")
	if !ok {
		return "", "", fmt.Errorf("no URI in the request %q", line)
	}
	if !strings.Contains(start, " HTTP/") {
		start += " HTTP/1.1"
	}
	var head, body strings.Builder
	given := map[string]bool{}
	for i, field := range fields[1:] {
		field = strings.TrimSpace(field)
		if text, ok := strings.CutPrefix(field, "body "); ok {
			text = strings.Join(append([]string{text}, fields[i+2:]...), "  ")
			unquoted, err := strconv.Unquote(strings.TrimSpace(text))
			if err != nil {
				return "", "", fmt.Errorf("body %s: %w", text, err)
			}
			body.WriteString(unquoted)
			break
		}
		name, _, _ := strings.Cut(field, ":")
		given[strings.ToLower(name)] = true
		if !strings.HasPrefix(field, "!") {
			head.WriteString(field + "\r\n")
		}
	}
	if !given["host"] && !given["!host"] {
		start += "\r\nHost: localhost"
	}
	if body.Len() > 0 && !given["content-length"] && !given["transfer-encoding"] {
		fmt.Fprintf(&head, "Content-Length: %d\r\n", body.Len())
	}
	return start + "\r\n" + head.String() + "\r\n" + body.String(), method, nil
}

// response is one parsed response.
type response struct {
	proto  string // HTTP/1.1
	status string // "200 OK"
	fields []field
	body   string
}

type field struct{ name, value string }

// get returns the values of a header field, in order.
func (r *response) get(name string) []string {
	var values []string
	for _, f := range r.fields {
		if strings.EqualFold(f.name, name) {
			values = append(values, f.value)
		}
	}
	return values
}

// readResponse reads the next response of the connection, its body included; trailers join the header fields.
func (c *conn) readResponse() (*response, error) {
	c.SetReadDeadline(time.Now().Add(patience))
	line, err := c.readLine()
	if err != nil {
		return nil, fmt.Errorf("reading the status line: %w", err)
	}
	r := &response{}
	r.proto, r.status, _ = strings.Cut(line, " ")
	if !strings.HasPrefix(r.proto, "HTTP/1.") || len(r.status) < 3 {
		rest, _ := io.ReadAll(io.LimitReader(c.in, 200))
		return nil, fmt.Errorf("not a status line: %q, then %q", line, rest)
	}
	if err := c.readFields(r); err != nil {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	method := "GET"
	if len(c.methods) > 0 {
		method = c.methods[0]
	}
	if r.status[0] == '1' {
		c.last = r
		return r, nil
	}
	if len(c.methods) > 0 {
		c.methods = c.methods[1:]
	}
	if err := c.readBody(r, method); err != nil {
		return nil, fmt.Errorf("reading the body of a %q: %w (%s so far)", r.status, err, quote(r.body))
	}
	c.last = r
	return r, nil
}

// readLine reads a line that has to end with CR LF, and returns it without them.
func (c *conn) readLine() (string, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return line, err
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		return line, fmt.Errorf("a line without CR: %q", line)
	}
	return text, nil
}

// readFields reads header or trailer fields up to the empty line.
func (c *conn) readFields(r *response) error {
	for {
		line, err := c.readLine()
		if err != nil || line == "" {
			return err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return fmt.Errorf("not a header field: %q", line)
		}
		r.fields = append(r.fields, field{name, strings.TrimSpace(value)})
	}
}

// readBody reads the body as RFC 9112, section 6.3 frames it.
func (c *conn) readBody(r *response, method string) error {
	code := r.status[:3]
	if method == "HEAD" || code == "204" || code == "304" {
		return nil
	}
	if te := r.get("Transfer-Encoding"); len(te) > 0 {
		return c.readChunked(r)
	}
	if length := r.get("Content-Length"); len(length) > 0 {
		n, err := strconv.Atoi(length[0])
		if err != nil || n < 0 {
			return fmt.Errorf("bad Content-Length %q", length[0])
		}
		body := make([]byte, n)
		got, err := io.ReadFull(c.in, body)
		r.body = string(body[:got])
		return err
	}
	body, err := io.ReadAll(c.in)
	r.body = string(body)
	return err
}

// readChunked reads a chunked body and its trailers.
func (c *conn) readChunked(r *response) error {
	var body strings.Builder
	defer func() { r.body = body.String() }()
	for {
		line, err := c.readLine()
		if err != nil {
			return err
		}
		size, err := strconv.ParseUint(line, 16, 31)
		if err != nil {
			return fmt.Errorf("bad chunk size %q", line)
		}
		if size == 0 {
			return c.readFields(r)
		}
		if _, err := io.CopyN(&body, c.in, int64(size)); err != nil {
			return err
		}
		if line, err := c.readLine(); err != nil || line != "" {
			return fmt.Errorf("no CR LF after a chunk of %d bytes: %q, %w", size, line, err)
		}
	}
}

// rest reads everything up to the end of the connection.
func (c *conn) rest() (string, error) {
	c.SetReadDeadline(time.Now().Add(patience))
	data, err := io.ReadAll(c.in)
	if errors.Is(err, syscall.ECONNRESET) {
		err = nil
	}
	return string(data), err
}

// check checks what a "<" line asks of the header or body; README.md lists the forms.
func (r *response) check(expect string) error {
	name, arg, _ := strings.Cut(expect, " ")
	switch {
	case strings.HasPrefix(expect, "|"):
		return wrap("the body", match(expect, r.body))
	case name == "body":
		return wrap("the body", match(arg, r.body))
	case name == "decoded":
		text, err := r.decoded()
		if err != nil {
			return err
		}
		return wrap("the decoded body", match(arg, text))
	case name == "length":
		if want, err := strconv.Atoi(arg); err != nil || len(r.body) != want {
			return fmt.Errorf("the body has %d bytes, expected %s", len(r.body), arg)
		}
	case name == "proto":
		if r.proto != arg {
			return fmt.Errorf("answered with %s, expected %s", r.proto, arg)
		}
	case strings.HasPrefix(expect, "!"):
		if values := r.get(expect[1:]); values != nil {
			return fmt.Errorf("header field %s is there: %q", expect[1:], values)
		}
	case strings.HasPrefix(arg, "~ "), strings.HasPrefix(arg, "!~ "):
		return r.checkField(name, func(values []string) error {
			return match(arg, strings.Join(values, "\n"))
		})
	case strings.HasSuffix(name, ":"):
		return r.checkField(name[:len(name)-1], func(values []string) error {
			if got := strings.Join(values, ", "); got != arg {
				return fmt.Errorf("is %q, expected %q", got, arg)
			}
			return nil
		})
	default:
		return fmt.Errorf("not an expectation: %q", expect)
	}
	return nil
}

func (r *response) checkField(name string, check func([]string) error) error {
	if textproto.TrimString(name) == "" {
		return fmt.Errorf("no header field named")
	}
	values := r.get(name)
	if values == nil {
		return fmt.Errorf("header field %s is missing in %q", name, r.fields)
	}
	return wrap("header field "+name, check(values))
}

// wrap says what an error is about.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %w", what, err)
}
