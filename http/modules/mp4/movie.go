package mp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"

	"golang.org/x/sys/unix"
)

// clip is what is sent: head, and behind it the file from start to end.
type clip struct {
	head       []byte
	start, end int64
}

// errWhole: the file can be sent as it is.
var errWhole = errors.New("whole file")

// fileReader reads a file by its descriptor.
type fileReader int

// ReadAt implements io.ReaderAt.
func (fd fileReader) ReadAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		m, err := unix.Pread(int(fd), p[n:], off+int64(n))
		if err == nil && m == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return n, err
		}
		n += m
	}
	return len(p), nil
}

// movie is a file that a part is to be cut out of.
type movie struct {
	name string
	file io.ReaderAt
	size int64
	// start and length are in milliseconds; length is 0 for all that follows.
	start, length uint64
	maxMoov       int64
	keyFrame      bool // begin at the key frame before start

	ftyp, mvhd []byte
	timescale  uint64
	traks      []*trak
	hasMoov    bool
	// mdatEnd is where the mdat atom ends, 0 while it was not seen.
	mdatEnd int64
}

// fault makes an error with the name of the file; format has a place for it.
func (m *movie) fault(format string, args ...any) error {
	return fmt.Errorf(format, append(args, m.name)...)
}

// named is fault for messages that begin with the name.
func (m *movie) named(format string, args ...any) error {
	return fmt.Errorf(`"%s" `+format, append([]any{m.name}, args...)...)
}

const (
	headerSize   = 8
	header64Size = 16
	maxFtyp      = 1024
)

var be = binary.BigEndian

// cut makes the head for the part and finds its data.
func (m *movie) cut() (clip, error) {
	if err := m.read(); err != nil {
		return clip{}, err
	}
	switch {
	case len(m.traks) == 0:
		return clip{}, m.fault(`no mp4 trak atoms were found in "%s"`)
	case m.mdatEnd == 0:
		return clip{}, m.fault(`no mp4 mdat atom was found in "%s"`)
	}
	start, end := m.size, int64(0)
	for _, t := range m.traks {
		if err := t.crop(m); err != nil {
			return clip{}, err
		}
		start, end = min(start, t.startOffset), max(end, t.endOffset)
	}
	switch {
	case end <= start:
		return clip{}, m.fault(`no data between start time and end time in "%s"`)
	case start >= m.mdatEnd:
		return clip{}, m.fault(`start time is out mp4 mdat atom in "%s"`)
	}
	head := m.build(uint64(end - start))
	for _, t := range m.traks {
		t.adjust(head, int64(len(head))-start)
	}
	return clip{head, start, end}, nil
}

// read reads the atoms of the file, but of mdat only where it is.
func (m *movie) read() error {
	for off := int64(0); off < m.size; {
		var header [header64Size]byte
		n := min(header64Size, m.size-off)
		if n < 4 {
			return m.named("mp4 file truncated")
		}
		if _, err := m.file.ReadAt(header[:n], off); err != nil {
			return fmt.Errorf(`pread() "%s" failed (%w)`, m.name, err)
		}
		a, err := m.atom(header[:n], uint64(m.size-off))
		if err != nil || a.size == 0 {
			return err
		}
		data := off + int64(a.header)
		end := off + int64(a.size)
		switch a.name {
		case "ftyp":
			err = m.readFtyp(data, end)
		case "moov":
			err = m.readMoov(data, end)
		case "mdat":
			if m.mdatEnd != 0 {
				return m.fault(`duplicate mp4 mdat atom in "%s"`)
			}
			m.mdatEnd = end
		}
		if err != nil {
			return err
		}
		if m.mdatEnd != 0 && m.hasMoov {
			return nil
		}
		off = end
	}
	return nil
}

// atom is the header of an atom; a size of 0 ends the list that it is in.
type atom struct {
	name   string
	header int
	size   uint64 // with the header
}

// atom reads a header from the bytes that there are, of an atom that must not
// be longer than room.
func (m *movie) atom(b []byte, room uint64) (a atom, err error) {
	if len(b) < 4 {
		return a, m.named("mp4 file truncated")
	}
	a.size, a.header = uint64(be.Uint32(b)), headerSize
	if a.size == 0 {
		return a, nil
	}
	if a.size == 1 {
		if len(b) < header64Size {
			return a, m.named("mp4 file truncated")
		}
		a.size, a.header = be.Uint64(b[8:]), header64Size
	}
	switch {
	case a.size < uint64(a.header):
		return a, m.named("mp4 atom is too small:%d", a.size)
	case len(b) < headerSize:
		return a, m.named("mp4 file truncated")
	case a.size > room:
		return a, m.named("mp4 atom too large:%d", a.size)
	}
	a.name = string(b[4:8])
	return a, nil
}

func (m *movie) readFtyp(data, end int64) error {
	switch {
	case end-data > maxFtyp:
		return m.named("mp4 ftyp atom is too large:%d", end-data)
	case m.ftyp != nil:
		return m.fault(`duplicate mp4 ftyp atom in "%s"`)
	}
	m.ftyp = make([]byte, end-data)
	if _, err := m.file.ReadAt(m.ftyp, data); err != nil {
		return fmt.Errorf(`pread() "%s" failed (%w)`, m.name, err)
	}
	return nil
}

func (m *movie) readMoov(data, end int64) error {
	switch {
	case m.mdatEnd == 0 && m.start == 0 && m.length == 0:
		return errWhole
	case m.hasMoov:
		return m.fault(`duplicate mp4 moov atom in "%s"`)
	case end-data > m.maxMoov:
		return m.named("mp4 moov atom is too large:%d, you may want to increase mp4_max_buffer_size", end-data)
	}
	m.hasMoov = true
	b := make([]byte, end-data)
	if _, err := m.file.ReadAt(b, data); err != nil {
		return fmt.Errorf(`pread() "%s" failed (%w)`, m.name, err)
	}
	return m.each(b, func(name string, data []byte) error {
		switch name {
		case "mvhd":
			return m.readMvhd(data)
		case "trak":
			return m.readTrak(data)
		case "cmov":
			return m.named("mp4 compressed moov atom (cmov) is not supported")
		}
		return nil
	})
}

// each calls f with the atoms in b.
func (m *movie) each(b []byte, f func(name string, data []byte) error) error {
	for len(b) > 0 {
		a, err := m.atom(b, uint64(len(b)))
		if err != nil || a.size == 0 {
			return err
		}
		if err := f(a.name, b[a.header:a.size]); err != nil {
			return err
		}
		b = b[a.size:]
	}
	return nil
}

// layout says where an atom has its time scale and duration, in version 0 with
// 32 bits and in version 1 with 64 bits; size is the least size of its data.
type layout struct {
	name                        string
	size, scale, duration       int
	size64, scale64, duration64 int
}

var (
	mvhdLayout = layout{"mvhd", 100, 12, 16, 112, 20, 24}
	tkhdLayout = layout{"tkhd", 84, 0, 20, 96, 0, 28}
	mdhdLayout = layout{"mdhd", 24, 12, 16, 36, 20, 24}
)

// times reads time scale and duration; an atom without a time scale of its own
// has a useless one.
func (l *layout) times(m *movie, data []byte) (scale, duration uint64, err error) {
	if len(data) < l.size || data[0] != 0 && len(data) < l.size64 {
		return 0, 0, m.named("mp4 %s atom too small", l.name)
	}
	if data[0] == 0 {
		return uint64(be.Uint32(data[l.scale:])), uint64(be.Uint32(data[l.duration:])), nil
	}
	return uint64(be.Uint32(data[l.scale64:])), be.Uint64(data[l.duration64:]), nil
}

func (l *layout) setDuration(data []byte, duration uint64) {
	if data[0] == 0 {
		be.PutUint32(data[l.duration:], uint32(duration))
	} else {
		be.PutUint64(data[l.duration64:], duration)
	}
}

// units converts milliseconds to a time scale.
func units(ms, scale uint64) uint64 {
	hi, lo := bits.Mul64(ms, scale)
	if hi >= 1000 {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, 1000)
	return q
}

// rest is what is left of a duration that is longer than the start time.
func (m *movie) rest(duration, scale uint64) uint64 {
	duration -= units(m.start, scale)
	if m.length != 0 {
		duration = min(duration, units(m.length, scale))
	}
	return duration
}

func (m *movie) readMvhd(data []byte) error {
	if m.mvhd != nil {
		return m.fault(`duplicate mp4 mvhd atom in "%s"`)
	}
	scale, duration, err := mvhdLayout.times(m, data)
	if err != nil {
		return err
	}
	m.timescale = scale
	if duration < units(m.start, scale) {
		return m.named("mp4 start time exceeds file duration")
	}
	mvhdLayout.setDuration(data, m.rest(duration, scale))
	m.mvhd = data
	return nil
}

// build makes what comes before the data of the clip.
func (m *movie) build(size uint64) []byte {
	var b []byte
	if m.ftyp != nil {
		b = appendAtom(b, "ftyp", m.ftyp)
	}
	b = container(b, "moov", func(b []byte) []byte {
		if m.mvhd != nil {
			b = appendAtom(b, "mvhd", m.mvhd)
		}
		for _, t := range m.traks {
			b = t.append(b)
		}
		return b
	})
	if size+headerSize > math.MaxUint32 {
		b = append(be.AppendUint32(b, 1), "mdat"...)
		return be.AppendUint64(b, size+header64Size)
	}
	b = be.AppendUint32(b, uint32(size+headerSize))
	return append(b, "mdat"...)
}

// appendAtom appends an atom with the given data, in several parts.
func appendAtom(b []byte, name string, data ...[]byte) []byte {
	return container(b, name, func(b []byte) []byte { return append(b, slices.Concat(data...)...) })
}

// container appends an atom whose data f appends.
func container(b []byte, name string, f func([]byte) []byte) []byte {
	at := len(b)
	b = append(append(b, 0, 0, 0, 0), name...)
	b = f(b)
	be.PutUint32(b[at:], uint32(len(b)-at))
	return b
}
