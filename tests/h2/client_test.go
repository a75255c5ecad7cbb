package h2

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"moongate/http/wire/http2"
	"moongate/tests/spec"
)

func TestMain(m *testing.M) { spec.Main(m) }

// start starts a server for a test.
func start(t *testing.T, text string) *spec.Server {
	t.Helper()
	return spec.Serve(t, spec.FindTarget(t), text)
}

// client is a connection of HTTP/2 that sends what a test wants.
type client struct {
	net.Conn
	in     *bufio.Reader
	block  bytes.Buffer
	fields *hpack.Encoder
	table  *hpack.Decoder
}

// dial connects, over TLS unless config is nil, and begins to speak HTTP/2 with
// settings: pairs of numbers and values.
func dial(t *testing.T, address string, config *tls.Config, settings ...uint32) *client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		conn = tls.Client(conn, config)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	c := newClient(conn)
	var payload []byte
	for i := 0; i < len(settings); i += 2 {
		payload = http2.AppendSetting(payload, uint16(settings[i]), settings[i+1])
	}
	c.send(append([]byte(http2.Preface), frame(http2.FrameSettings, 0, 0, payload...)...))
	return c
}

// newClient is a client on a connection on which it has said nothing yet.
func newClient(conn net.Conn) *client {
	c := &client{Conn: conn, in: bufio.NewReader(conn), table: hpack.NewDecoder(4096, nil)}
	c.fields = hpack.NewEncoder(&c.block)
	return c
}

// send sends frames. That it cannot is found out when there is nothing to read.
func (c *client) send(frames ...[]byte) error {
	_, err := c.Write(bytes.Join(frames, nil))
	return err
}

// header encodes the header of a GET request, or with further names and values
// of another one.
func (c *client) header(path string, more ...string) []byte {
	return c.encode(append([]string{":method", "GET", ":scheme", "http", ":path", path, ":authority", "localhost"}, more...)...)
}

func (c *client) encode(fields ...string) []byte {
	c.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = c.fields.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(c.block.Bytes())
}

// get is a request without a body.
func (c *client) get(stream uint32, path string, more ...string) []byte {
	return frame(http2.FrameHeaders, http2.FlagEndStream|http2.FlagEndHeaders, stream, c.header(path, more...)...)
}

// read reads a frame.
func (c *client) read() (f http2.Frame, err error) {
	var head [http2.HeadSize]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return f, err
	}
	f, length := http2.ParseHead(head[:])
	f.Payload = make([]byte, length)
	_, err = io.ReadFull(c.in, f.Payload)
	return f, err
}

// rest reads what comes until the connection is closed, and returns the code of
// the last GOAWAY, or that nothing more came for too long.
func (c *client) rest() (code http2.Code, err error) {
	for {
		f, err := c.read()
		var failed net.Error
		switch {
		case errors.As(err, &failed) && failed.Timeout():
			return code, err
		case err != nil:
			return code, nil
		}
		if f.Kind == http2.FrameGoaway {
			code = http2.Code(binary.BigEndian.Uint32(f.Payload[4:]))
		}
	}
}

// frame is a frame as it is sent.
func frame(kind http2.FrameType, flags uint8, stream uint32, payload ...byte) []byte {
	return append(http2.AppendHead(nil, len(payload), kind, flags, stream), payload...)
}
