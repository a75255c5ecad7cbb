package h2

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"moongate/http/wire/http2"
)

// script turns bytes into what a client sends.
type script struct {
	in   []byte
	last uint32 // stream
}

func (p *script) byte() byte {
	if len(p.in) == 0 {
		return 0
	}
	b := p.in[0]
	p.in = p.in[1:]
	return b
}

// stream chooses a stream: most often one that there is.
func (p *script) stream() uint32 {
	switch b := p.byte(); b % 8 {
	case 0:
		return 0
	case 1:
		return uint32(b)
	case 2, 3:
		return p.last - min(p.last, 2*uint32(b>>5))
	default:
		return p.last
	}
}

// number chooses one near the limits of windows and frames.
func (p *script) number() uint32 {
	b := p.byte()
	around := [...]uint32{0, 1, 100, http2.MaxFrame, http2.DefaultWindow, 1 << 20, http2.MaxMaxFrame, http2.MaxWindow}[b%8]
	return around + uint32(b>>6) - 1
}

var paths = [...]string{"/small", "/large", "/body", "/late", "/none"}

// header is the header block of a request, now and then of an odd one.
func (p *script) header() (b []byte) {
	how := p.byte()
	method := "GET"
	if how&1 != 0 {
		method = "POST"
	}
	b = http2.AppendMethod(nil, method)
	b = http2.AppendScheme(b, false)
	b = http2.AppendPath(b, paths[int(how>>1)%len(paths)])
	b = http2.AppendAuthority(b, "localhost")
	switch how >> 5 {
	case 0:
		b = http2.AppendField(b, "content-length", "100")
	case 1:
		b = http2.AppendField(b, "content-length", "0")
	case 2:
		b = http2.AppendField(b, "te", "odd")
	case 3:
		b = append(b, p.byte(), p.byte(), p.byte())
	}
	return b
}

// frame is the next frame, or bytes that are none.
func (p *script) frame() []byte {
	build := func(kind http2.FrameType, flags uint8, id uint32, payload []byte) []byte {
		return append(http2.AppendHead(nil, len(payload), kind, flags, id), payload...)
	}
	switch op := p.byte(); op % 16 {
	case 0, 1, 2, 3:
		p.last += 2
		flags := uint8(http2.FlagEndHeaders)
		if op&0x10 != 0 {
			flags |= http2.FlagEndStream
		}
		if op&0xe0 == 0xe0 {
			flags &^= http2.FlagEndHeaders
		}
		return build(http2.FrameHeaders, flags, p.last, p.header())
	case 4, 5:
		return build(http2.FrameData, op>>4&http2.FlagEndStream, p.stream(), make([]byte, min(p.number(), 70000)))
	case 6:
		id := uint16(p.byte()%6) + 1
		return build(http2.FrameSettings, 0, 0, http2.AppendSetting(nil, id, p.number()))
	case 7, 8:
		return http2.AppendNumber(nil, http2.FrameWindow, p.stream(), p.number())
	case 9:
		return http2.AppendNumber(nil, http2.FrameRST, p.stream(), uint32(p.byte()))
	case 10:
		on := make([]byte, http2.PrioritySize)
		binary.BigEndian.PutUint32(on, p.stream())
		on[4] = p.byte()
		return build(http2.FramePriority, 0, p.stream(), on)
	case 11:
		return build(http2.FrameContinuation, op>>4&http2.FlagEndHeaders, p.stream(), p.header())
	case 12:
		return build(http2.FrameHeaders, http2.FlagEndHeaders|http2.FlagEndStream, p.stream(), p.header())
	case 13:
		return build(http2.FrameSettings, http2.FlagAck, 0, nil)
	case 14:
		n := min(int(p.byte()), len(p.in))
		f := build(http2.FrameType(p.byte()%12), p.byte(), p.stream(), p.in[:min(n, len(p.in))])
		p.in = p.in[min(n, len(p.in)):]
		return f
	default:
		n := min(int(p.byte()), len(p.in))
		raw := p.in[:n]
		p.in = p.in[n:]
		return raw
	}
}

// player is a client that sends a script and has all answers judged.
type player struct {
	net.Conn
	m *model
	// pongs are the answers to pings; it is closed with the connection.
	pongs chan struct{}
	err   error // of the model, once pongs is closed
}

func (s *testServer) play(t testing.TB) *player {
	t.Helper()
	c, err := net.Dial("unix", s.path)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	p := &player{Conn: c, m: newModel(), pongs: make(chan struct{}, 1024)}
	_, _ = io.WriteString(c, http2.Preface)
	p.send(http2.AppendHead(nil, 0, http2.FrameSettings, 0, 0))
	go p.judge()
	return p
}

// judge reads until the server closes.
func (p *player) judge() {
	defer close(p.pongs)
	in := bufio.NewReader(p)
	var head [http2.HeadSize]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			var failed net.Error
			if errors.As(err, &failed) && failed.Timeout() {
				p.err = errors.New("the server does not close the connection")
			}
			return
		}
		f, length := http2.ParseHead(head[:])
		f.Payload = make([]byte, length)
		if _, err := io.ReadFull(in, f.Payload); err != nil {
			return
		}
		if p.err = p.m.received(&f); p.err != nil {
			p.Close()
			return
		}
		if f.Kind == http2.FramePing {
			select {
			case p.pongs <- struct{}{}:
			default:
			}
		}
	}
}

func (p *player) send(b []byte) {
	p.m.sent(b)
	_, _ = p.Write(b)
}

// sync gives the server the time to answer a ping, if it can be asked.
func (p *player) sync() {
	p.send(http2.AppendHead(nil, 8, http2.FramePing, 0, 0))
	p.send(make([]byte, 8))
	select {
	case <-p.pongs:
	case <-time.After(5 * time.Millisecond):
	}
}

// run plays a script to its end.
func (s *testServer) run(t testing.TB, in []byte) {
	t.Helper()
	p := s.play(t)
	sc := &script{in: in}
	sc.last--
	for len(sc.in) > 0 {
		pause := sc.in[0]&0x80 != 0 && sc.in[0]&7 == 7
		p.send(sc.frame())
		if pause {
			p.sync()
		}
	}
	p.sync()
	p.sync()
	if !s.onLoop(func() { s.check(t) }) {
		t.Fatal("the loop hangs")
	}
	_ = p.Conn.(*net.UnixConn).CloseWrite()
	for range p.pongs {
	}
	p.Close()
	if text := s.panicked.Load(); text != nil {
		t.Fatal(*text)
	}
	if p.err != nil {
		t.Error(p.err)
	}
	s.settle(t)
}

// TestPanic: a request that panics ends its connection, and nothing is left of
// it.
func TestPanic(t *testing.T) {
	s := newServer(t, sequences)
	p := s.play(t)
	for i, path := range []string{"/panic", "/large"} {
		b := http2.AppendMethod(nil, "GET")
		b = http2.AppendScheme(b, false)
		b = http2.AppendPath(b, path)
		b = http2.AppendAuthority(b, "localhost")
		p.send(append(http2.AppendHead(nil, len(b), http2.FrameHeaders, http2.FlagEndStream|http2.FlagEndHeaders, uint32(2*i+1)), b...))
	}
	for range p.pongs {
	}
	p.Close()
	if p.err != nil || !p.m.closing {
		t.Errorf("GOAWAY sent: %v, %v", p.m.closing, p.err)
	}
	s.settle(t)
	if text := s.panicked.Load(); text == nil || !strings.Contains(*text, "on purpose") {
		t.Error("the panic is not reported")
	}
	if st := s.loop.Stats(); st.Reading.Load() != 0 || st.Writing.Load() != 0 {
		t.Errorf("%d requests are being read and %d written", st.Reading.Load(), st.Writing.Load())
	}
}

const sequences = `
client_header_timeout 50ms;
client_body_timeout 50ms;
send_timeout 50ms;
keepalive_timeout 100ms;
lingering_timeout 20ms;
client_body_buffer_size 64k; # temporary files are not to be made
client_max_body_size 60k;
http2_max_concurrent_streams 8;
`

// FuzzSequences: whatever frames a client sends, in whatever order, the server
// stays within the protocol, comes to an end and keeps nothing.
func FuzzSequences(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{13, 0x10, 0, 0x10, 2, 0x10, 8, 4, 4, 2})                   // requests
	f.Add([]byte{13, 0, 0x45, 4, 4, 2, 0x14, 4, 2})                         // a body
	f.Add([]byte{13, 0x10, 0x42, 6, 3, 0, 7, 4, 4, 7, 0, 5, 8, 4, 3})       // windows
	f.Add([]byte{13, 0xe0, 0x40, 11, 4, 0x40, 0x4b, 4, 0x40})               // continuations
	f.Add([]byte{13, 0x10, 0x46, 10, 4, 200, 4, 9, 4, 8, 0x10, 0x42, 9, 4}) // priorities and resets
	f.Add([]byte{13, 0, 0x44, 14, 3, 0, 8, 4, 200, 1, 2, 15, 2, 1, 2})      // padding, and bytes that are no frame
	s := newServer(f, sequences)
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) < 4<<10 {
			s.run(t, in)
		}
	})
}

// TestSequences plays random scripts.
func TestSequences(t *testing.T) {
	s := newServer(t, sequences)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		in := make([]byte, rnd.IntN(200))
		for i := range in {
			in[i] = byte(rnd.Uint32())
		}
		if s.run(t, in); t.Failed() {
			t.Fatalf("script %x", in)
		}
	}
}
