package backends

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// visit is a request to a program.
type visit struct {
	net.Conn
	method, uri string
	// field returns a field of the request's header.
	field func(name string) string
	body  io.Reader
	// wrap makes of a part of the response what goes over the wire.
	wrap func(part string) string
}

// say sends a part of the response. The first one begins with a header as CGI
// has it; a Status is its first line.
func (v *visit) say(part string) { _, _ = io.WriteString(v.Conn, v.wrap(part)) }

// answer sends a whole response with further lines of the header.
func (v *visit) answer(body string, lines ...string) {
	lines = append([]string{"Status: 200 OK"}, lines...)
	if strings.HasPrefix(lines[len(lines)-1], "Status: ") {
		lines = lines[1:]
	}
	v.say(strings.Join(append(lines, "Content-Length: "+strconv.Itoa(len(body)), "", ""), "\r\n") + body)
}

// dialect is a protocol that programs speak.
type dialect struct {
	prefix string
	// read reads the header of a request.
	read func(c net.Conn, in *bufio.Reader) (*visit, error)
	// last ends a response.
	last string
}

var dialects = []dialect{
	{"proxy", visitHTTP, ""}, {"scgi", visitSCGI, ""}, {"uwsgi", visitUWSGI, ""}, {"fastcgi", visitFastCGI, outEnd + requestEnd},
}

// runProgram runs a program, one request to a connection, until the test ends.
func runProgram(t *testing.T, d *dialect, do func(v *visit)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() { l.Close(); running.Wait() })
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				v, err := d.read(c, bufio.NewReader(c))
				if err != nil {
					return
				}
				do(v)
				_, _ = io.WriteString(c, d.last)
				_ = c.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, c)
			})
		}
	})
	return l.Addr().String()
}

func visitHTTP(c net.Conn, in *bufio.Reader) (*visit, error) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil, err
	}
	begun := false
	return &visit{c, r.Method, r.URL.RequestURI(), r.Header.Get, r.Body, func(part string) string {
		if !begun {
			begun = true
			if status, found := strings.CutPrefix(part, "Status: "); found {
				part = "HTTP/1.1 " + status
			} else {
				part = ok + part
			}
		}
		return part
	}}, nil
}

// visitCGI is the request that variables and a body make.
func visitCGI(c net.Conn, vars map[string]string, body io.Reader, wrap func(string) string) *visit {
	field := func(name string) string { return vars["HTTP_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))] }
	return &visit{c, vars["REQUEST_METHOD"], vars["REQUEST_URI"], field, body, wrap}
}

func verbatim(part string) string { return part }

func visitSCGI(c net.Conn, in *bufio.Reader) (*visit, error) {
	text, err := oddCGI.read(in)
	if err != nil {
		return nil, err
	}
	vars := make(map[string]string)
	for parts := strings.Split(text, "\x00"); len(parts) > 1; parts = parts[2:] {
		vars[parts[0]] = parts[1]
	}
	n, err := strconv.ParseInt(vars["CONTENT_LENGTH"], 10, 64)
	return visitCGI(c, vars, io.LimitReader(in, n), verbatim), err
}

func visitUWSGI(c net.Conn, in *bufio.Reader) (*visit, error) {
	text, err := oddUWSGI.read(in)
	if err != nil {
		return nil, err
	}
	vars := make(map[string]string)
	next := func() (s string) {
		n := int(binary.LittleEndian.Uint16([]byte(text)))
		s, text = text[2:2+n], text[2+n:]
		return s
	}
	for text != "" {
		name := next()
		vars[name] = next()
	}
	n, _ := strconv.ParseInt(vars["CONTENT_LENGTH"], 10, 64)
	return visitCGI(c, vars, io.LimitReader(in, n), verbatim), nil
}

// stream is what the records of a kind have in them, up to an empty one.
type stream struct {
	in   *bufio.Reader
	kind byte
	rest int
	pad  int
	end  bool
}

func (s *stream) Read(p []byte) (int, error) {
	for s.rest == 0 && !s.end {
		if _, err := s.in.Discard(s.pad); err != nil {
			return 0, err
		}
		var head [8]byte
		if _, err := io.ReadFull(s.in, head[:]); err != nil {
			return 0, err
		}
		n, pad := int(binary.BigEndian.Uint16(head[4:])), int(head[6])
		if s.pad = pad; head[1] != s.kind {
			s.pad += n
			continue
		}
		s.rest, s.end = n, n == 0
	}
	if s.end {
		return 0, io.EOF
	}
	n, err := s.in.Read(p[:min(len(p), s.rest)])
	s.rest -= n
	return n, err
}

func visitFastCGI(c net.Conn, in *bufio.Reader) (*visit, error) {
	const params, stdin = 4, 5
	text, err := io.ReadAll(&stream{in: in, kind: params})
	if err != nil {
		return nil, err
	}
	length := func() (n int) {
		if n = int(text[0]); n > 127 {
			n = int(binary.BigEndian.Uint32(text) & (1<<31 - 1))
			text = text[3:]
		}
		text = text[1:]
		return n
	}
	vars := make(map[string]string)
	for len(text) > 0 {
		name, value := length(), length()
		vars[string(text[:name])] = string(text[name : name+value])
		text = text[name+value:]
	}
	return visitCGI(c, vars, &stream{in: in, kind: stdin}, func(part string) string {
		var b strings.Builder
		for len(part) > 0 {
			n := min(len(part), 60_000)
			b.WriteString(record(stdout, part[:n], 0))
			part = part[n:]
		}
		return b.String()
	}), nil
}

// TestPrograms: they understand what the server sends.
func TestSharedPrograms(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("0123456789", 20_000)
	for _, d := range dialects {
		address := runProgram(t, &d, func(v *visit) {
			b, err := io.ReadAll(v.body)
			v.answer(fmt.Sprintf("%s %s %s %d %v", v.method, v.uri, v.field("X-Test"), len(b), err))
		})
		s := start(t, "Programs.\n\n-- http.conf --\nclient_max_body_size 0;\nserver { listen 127.0.0.1:8080; "+d.params()+
			"location / { "+d.prefix+"_pass "+d.scheme()+address+"; } }\n")
		ask(t, "POST", "http://"+s.Addr(8080)+"/a?b", strings.NewReader(body), "X-Test", "yes").want(t, 200, "POST /a?b yes 200000 <nil>")
	}
}

// scheme is what precedes an address in PREFIX_pass.
func (d *dialect) scheme() string {
	if d.prefix == "proxy" {
		return "http://"
	}
	return ""
}

// params are the directives that tell a program about the request.
func (d *dialect) params() (text string) {
	if d.prefix == "proxy" {
		return ""
	}
	for _, name := range []string{"REQUEST_METHOD", "REQUEST_URI", "CONTENT_LENGTH"} {
		if d.prefix == "scgi" && name == "CONTENT_LENGTH" {
			continue // is there anyway
		}
		text += fmt.Sprintf("%s_param %s $%s; ", d.prefix, name, strings.ToLower(name))
	}
	return text
}
