package h2

import (
	"encoding/binary"
	"fmt"
	"sync"

	"golang.org/x/net/http2/hpack"

	"moongate/http/wire/http2"
)

// model is what a client that watches both directions of a connection knows of
// what the server may do: RFC 9113 as seen from outside. A client may send
// anything at all. The bounds are generous where they depend on when the server
// acts on a frame.
type model struct {
	sync.Mutex
	rest    []byte // sent, of a frame that goes on
	seen    bool   // the head of that frame was
	opened  map[uint32]bool
	last    uint32
	initial int64 // the largest initial window there was
	frame   int   // the largest frame
	pings   int
	updates int // settings that are to be acknowledged
	total   modelWindow
	streams map[uint32]*modelStream
	table   *hpack.Decoder

	// The other direction.
	settings bool // the server's were received
	preread  int64
	acks     int // of pings
	closing  bool
}

// modelWindow is one of flow control in both directions.
type modelWindow struct {
	granted, used int64 // for the server to send
	given, taken  int64 // for the client to send
}

type modelStream struct {
	modelWindow
	header, ended, reset bool
}

func newModel() *model {
	return &model{
		opened: map[uint32]bool{}, streams: map[uint32]*modelStream{}, initial: http2.DefaultWindow, frame: http2.MaxFrame,
		table: hpack.NewDecoder(http2.TableSize, nil),
	}
}

func (m *model) stream(id uint32) *modelStream {
	s := m.streams[id]
	if s == nil {
		s = &modelStream{}
		m.streams[id] = s
	}
	return s
}

// sent takes in bytes that the client is about to send, which need not be
// frames.
func (m *model) sent(b []byte) {
	m.Lock()
	defer m.Unlock()
	m.rest = append(m.rest, b...)
	for len(m.rest) >= http2.HeadSize {
		f, length := http2.ParseHead(m.rest)
		if !m.seen {
			m.seen = true
			m.begun(&f, length)
		}
		if len(m.rest) < http2.HeadSize+length {
			return
		}
		f.Payload = m.rest[http2.HeadSize:][:length]
		m.whole(&f)
		m.rest, m.seen = m.rest[http2.HeadSize+length:], false
	}
}

// begun notes a frame whose head the server may act on.
func (m *model) begun(f *http2.Frame, length int) {
	switch f.Kind {
	case http2.FrameHeaders:
		m.opened[f.ID] = true
		m.last = max(m.last, f.ID)
	case http2.FrameData:
		m.total.taken += int64(length)
		m.stream(f.ID).taken += int64(length)
	}
}

// whole notes a frame as a whole.
func (m *model) whole(f *http2.Frame) {
	switch {
	case f.Kind == http2.FramePing && !f.Has(http2.FlagAck):
		m.pings++
	case f.Kind == http2.FrameWindow && len(f.Payload) == 4:
		n := int64(binary.BigEndian.Uint32(f.Payload) &^ (1 << 31))
		if f.ID == 0 {
			m.total.granted += n
		} else {
			m.stream(f.ID).granted += n
		}
	case f.Kind == http2.FrameSettings && !f.Has(http2.FlagAck):
		m.updates++
		for b := f.Payload; len(b) >= http2.SettingSize; b = b[http2.SettingSize:] {
			v := binary.BigEndian.Uint32(b[2:])
			switch binary.BigEndian.Uint16(b) {
			case http2.SettingInitialWindow:
				m.initial = max(m.initial, int64(v))
			case http2.SettingMaxFrameSize:
				m.frame = max(m.frame, int(v))
			}
		}
	}
}

// received judges a frame of the server.
func (m *model) received(f *http2.Frame) error {
	m.Lock()
	defer m.Unlock()
	const lastCode = 13
	switch n := len(f.Payload); {
	case !m.settings && f.Kind != http2.FrameSettings:
		return fmt.Errorf("frame %d before the settings", f.Kind)
	case n > m.frame:
		return fmt.Errorf("frame of %d bytes", n)
	case f.Kind == http2.FrameRST:
		if n != 4 || binary.BigEndian.Uint32(f.Payload) > lastCode || f.ID == 0 || f.ID > m.last {
			return fmt.Errorf("RST_STREAM for %d: % x", f.ID, f.Payload)
		}
		m.stream(f.ID).reset = true
	case f.Kind == http2.FrameGoaway:
		if n < 8 || f.ID != 0 || binary.BigEndian.Uint32(f.Payload) > m.last || binary.BigEndian.Uint32(f.Payload[4:]) > lastCode {
			return fmt.Errorf("GOAWAY for %d: % x", f.ID, f.Payload)
		}
		m.closing = true
	case f.Kind == http2.FramePing:
		if m.acks++; n != 8 || f.ID != 0 || !f.Has(http2.FlagAck) || m.acks > m.pings {
			return fmt.Errorf("PING % x, %d of %d", f.Payload, m.acks, m.pings)
		}
	case f.Kind == http2.FrameSettings:
		return m.settle(f)
	case f.Kind == http2.FrameWindow:
		return m.widen(f)
	case f.Kind == http2.FrameHeaders:
		return m.header(f)
	case f.Kind == http2.FrameData:
		return m.data(f)
	default:
		return fmt.Errorf("frame of type %d", f.Kind)
	}
	return nil
}

func (m *model) settle(f *http2.Frame) error {
	if f.Has(http2.FlagAck) {
		if m.updates--; m.updates < 0 || len(f.Payload) > 0 {
			return fmt.Errorf("settings acknowledged that were not sent")
		}
		return nil
	}
	if m.settings || f.ID != 0 || len(f.Payload)%http2.SettingSize != 0 {
		return fmt.Errorf("SETTINGS % x", f.Payload)
	}
	m.settings = true
	for b := f.Payload; len(b) > 0; b = b[http2.SettingSize:] {
		if binary.BigEndian.Uint16(b) == http2.SettingInitialWindow {
			m.preread = int64(binary.BigEndian.Uint32(b[2:]))
		}
	}
	return nil
}

func (m *model) widen(f *http2.Frame) error {
	w, initial := &m.total, int64(http2.DefaultWindow)
	if f.ID != 0 {
		w, initial = &m.stream(f.ID).modelWindow, m.preread
	}
	n := int64(binary.BigEndian.Uint32(f.Payload))
	w.given += n
	if n == 0 || !m.opened[f.ID] && f.ID != 0 || initial+w.given-w.taken > http2.MaxWindow {
		return fmt.Errorf("WINDOW_UPDATE for %d: %d, together %d", f.ID, n, initial+w.given-w.taken)
	}
	return nil
}

// response checks that the stream may carry more of a response.
func (m *model) response(f *http2.Frame) (*modelStream, error) {
	s := m.stream(f.ID)
	if f.ID%2 == 0 || !m.opened[f.ID] || s.ended || s.reset {
		return nil, fmt.Errorf("frame of type %d for stream %d, which is %+v", f.Kind, f.ID, *s)
	}
	s.ended = f.Has(http2.FlagEndStream)
	return s, nil
}

func (m *model) header(f *http2.Frame) error {
	s, err := m.response(f)
	if err != nil {
		return err
	}
	fields, err := m.table.DecodeFull(f.Payload)
	switch {
	case err != nil:
		return err
	case !f.Has(http2.FlagEndHeaders) || s.header && !s.ended:
		return fmt.Errorf("a header of stream %d with flags %x", f.ID, f.Flags)
	case !s.header && (len(fields) == 0 || fields[0].Name != ":status"):
		return fmt.Errorf("a header of stream %d without a status: %v", f.ID, fields)
	}
	s.header = true
	return nil
}

func (m *model) data(f *http2.Frame) error {
	s, err := m.response(f)
	if err != nil {
		return err
	}
	n := int64(len(f.Payload))
	s.used += n
	m.total.used += n
	switch {
	case !s.header:
		return fmt.Errorf("data of stream %d without a header", f.ID)
	case n > 0 && s.used > m.initial+s.granted:
		return fmt.Errorf("%d bytes of stream %d in a window of %d", s.used, f.ID, m.initial+s.granted)
	case n > 0 && m.total.used > http2.DefaultWindow+m.total.granted:
		return fmt.Errorf("%d bytes in a window of %d", m.total.used, http2.DefaultWindow+m.total.granted)
	}
	return nil
}
