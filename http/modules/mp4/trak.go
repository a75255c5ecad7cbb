package mp4

import (
	"errors"
	"math"
)

// trak is a track: its atoms, and what was found out about the part.
type trak struct {
	// Atoms that are copied, nil when they are not there.
	tkhd, mdhd, hdlr, vmhd, smhd, dinf, stsd []byte
	hasMdia, hasMinf, hasStbl                bool

	stts, stss, ctts, stsz, stco *table
	stsc                         *chunkTable
	co64                         bool // stco has 64 bits
	uniformSize                  uint32

	timescale, duration, movieDuration uint64
	// prefix is how much of the part comes before the start time, to begin at a
	// key frame.
	prefix uint64

	startSample, endSample             uint64
	startChunk, endChunk               uint64
	startChunkSamples, endChunkSamples uint64
	startChunkSize, endChunkSize       uint64
	startOffset, endOffset             int64
	stcoAt                             int // where the table is in the head
	chunks, samples                    uint64
}

// table is an atom of entries of one size behind a header.
type table struct {
	header []byte // with version and flags, and what comes before the number of entries
	data   []byte
	entry  int
}

func (t *table) len() int { return len(t.data) / t.entry }

// at is field i of 32 bits of the nth entry.
func (t *table) at(n, i int) uint32 { return be.Uint32(t.data[n*t.entry+4*i:]) }

func (t *table) set(n, i int, v uint32) { be.PutUint32(t.data[n*t.entry+4*i:], v) }

// from and to leave away the entries before or from the nth.
func (t *table) from(n int) { t.data = t.data[n*t.entry:] }
func (t *table) to(n int)   { t.data = t.data[:n*t.entry] }

// append appends the atom.
func (t *table) append(b []byte, name string) []byte {
	return appendAtom(b, name, t.header, be.AppendUint32(nil, uint32(t.len())), t.data)
}

// readTable takes an atom apart whose number of entries follows the header.
func (m *movie) readTable(name string, data []byte, header, entry int) (*table, error) {
	if len(data) < header+4 {
		return nil, m.named("mp4 %s atom too small", name)
	}
	n := uint64(be.Uint32(data[header:]))
	rest := data[header+4:]
	if n*uint64(entry) > uint64(len(rest)) {
		return nil, m.named("mp4 %s atom too small", name)
	}
	return &table{data[:header], rest[:n*uint64(entry)], entry}, nil
}

// maxTraks bounds the tracks of a file.
const maxTraks = 1024

// errSkip: the track is shorter than the start time and left out.
var errSkip = errors.New("skip the track")

func (m *movie) readTrak(data []byte) error {
	t := &trak{}
	err := m.each(data, func(name string, data []byte) error {
		switch name {
		case "tkhd":
			return t.readTkhd(m, data)
		case "mdia":
			return t.container(m, name, &t.hasMdia, data, t.mdia)
		}
		return nil
	})
	if errors.Is(err, errSkip) {
		return nil
	}
	if m.traks = append(m.traks, t); len(m.traks) > maxTraks {
		return m.fault(`too many mp4 trak atoms in "%s"`)
	}
	return err
}

// container reads an atom of atoms, of which there may be one.
func (t *trak) container(m *movie, name string, seen *bool, data []byte, f func(*movie, string, []byte) error) error {
	if *seen {
		return m.fault(`duplicate mp4 ` + name + ` atom in "%s"`)
	}
	*seen = true
	return m.each(data, func(name string, data []byte) error { return f(m, name, data) })
}

// keep notes an atom that is copied.
func (m *movie) keep(to *[]byte, name string, data []byte, twice bool) error {
	if twice {
		return m.fault(`duplicate mp4 ` + name + ` atom in "%s"`)
	}
	*to = data
	return nil
}

func (t *trak) readTkhd(m *movie, data []byte) error {
	_, duration, err := tkhdLayout.times(m, data)
	switch {
	case err != nil:
		return err
	case duration <= units(m.start, m.timescale):
		return errSkip
	case t.tkhd != nil:
		return m.fault(`duplicate mp4 tkhd atom in "%s"`)
	}
	t.tkhd, t.movieDuration = data, m.rest(duration, m.timescale)
	tkhdLayout.setDuration(data, t.movieDuration)
	return nil
}

func (t *trak) mdia(m *movie, name string, data []byte) error {
	switch name {
	case "mdhd":
		scale, duration, err := mdhdLayout.times(m, data)
		switch {
		case err != nil:
			return err
		case duration <= units(m.start, scale):
			return errSkip
		case t.mdhd != nil:
			return m.fault(`duplicate mp4 mdhd atom in "%s"`)
		}
		t.mdhd, t.timescale, t.duration = data, scale, m.rest(duration, scale)
	case "hdlr":
		return m.keep(&t.hdlr, name, data, t.hdlr != nil)
	case "minf":
		return t.container(m, name, &t.hasMinf, data, t.minf)
	}
	return nil
}

func (t *trak) minf(m *movie, name string, data []byte) error {
	switch name {
	case "vmhd":
		return m.keep(&t.vmhd, "vmhd/smhd", data, t.vmhd != nil || t.smhd != nil)
	case "smhd":
		return m.keep(&t.smhd, "vmhd/smhd", data, t.vmhd != nil || t.smhd != nil)
	case "dinf":
		return m.keep(&t.dinf, name, data, t.dinf != nil)
	case "stbl":
		return t.container(m, name, &t.hasStbl, data, t.stbl)
	}
	return nil
}

func (t *trak) stbl(m *movie, name string, data []byte) error {
	switch name {
	case "stsd":
		if len(data) < 16 {
			return m.named("mp4 stsd atom too small")
		}
		return m.keep(&t.stsd, name, data, t.stsd != nil)
	case "stts":
		return m.keepTable(&t.stts, name, data, 8)
	case "stss":
		return m.keepTable(&t.stss, name, data, 4)
	case "ctts":
		return m.keepTable(&t.ctts, name, data, 8)
	case "stsc":
		if t.stsc != nil {
			return m.fault(`duplicate mp4 stsc atom in "%s"`)
		}
		raw, err := m.readTable(name, data, 4, 12)
		if err == nil {
			t.stsc = newChunkTable(raw)
		}
		return err
	case "stsz":
		return t.readSizes(m, data)
	case "stco", "co64":
		return t.readOffsets(m, name, data)
	}
	return nil
}

func (m *movie) keepTable(to **table, name string, data []byte, entry int) error {
	if *to != nil {
		return m.fault(`duplicate mp4 ` + name + ` atom in "%s"`)
	}
	var err error
	*to, err = m.readTable(name, data, 4, entry)
	return err
}

// readSizes reads stsz: the size of each sample, or one for all.
func (t *trak) readSizes(m *movie, data []byte) error {
	if len(data) < 12 {
		return m.named("mp4 stsz atom too small")
	}
	if t.stsz != nil {
		return m.fault(`duplicate mp4 stsz atom in "%s"`)
	}
	if t.uniformSize = be.Uint32(data[4:]); t.uniformSize != 0 {
		t.stsz = &table{header: data[:8], entry: 4}
		t.samples = uint64(be.Uint32(data[8:]))
		return nil
	}
	var err error
	t.stsz, err = m.readTable("stsz", data, 8, 4)
	return err
}

// readOffsets reads stco or co64: where each chunk is in the file.
func (t *trak) readOffsets(m *movie, name string, data []byte) error {
	if t.stco != nil {
		return m.fault(`duplicate mp4 stco/co64 atom in "%s"`)
	}
	entry := 4
	if t.co64 = name == "co64"; t.co64 {
		entry = 8
	}
	var err error
	if t.stco, err = m.readTable(name, data, 4, entry); err == nil {
		t.chunks = uint64(t.stco.len())
	}
	return err
}

// append appends the track of the clip.
func (t *trak) append(b []byte) []byte {
	return container(b, "trak", func(b []byte) []byte {
		b = copyAtom(b, "tkhd", t.tkhd)
		if t.prefix > 0 {
			b = t.appendEdit(b)
		}
		return container(b, "mdia", func(b []byte) []byte {
			if t.mdhd != nil {
				mdhdLayout.setDuration(t.mdhd, t.duration)
			}
			b = copyAtom(b, "mdhd", t.mdhd)
			b = copyAtom(b, "hdlr", t.hdlr)
			return container(b, "minf", func(b []byte) []byte {
				b = copyAtom(b, "vmhd", t.vmhd)
				b = copyAtom(b, "smhd", t.smhd)
				b = copyAtom(b, "dinf", t.dinf)
				return container(b, "stbl", t.appendTables)
			})
		})
	})
}

func copyAtom(b []byte, name string, data []byte) []byte {
	if data == nil {
		return b
	}
	return appendAtom(b, name, data)
}

// appendEdit appends the edit list that hides what comes before the start time.
func (t *trak) appendEdit(b []byte) []byte {
	return container(b, "edts", func(b []byte) []byte {
		return container(b, "elst", func(b []byte) []byte {
			b = append(b, 1, 0, 0, 0) // version 1: times of 64 bits
			b = be.AppendUint32(b, 1)
			b = be.AppendUint64(b, t.movieDuration)
			b = be.AppendUint64(b, t.prefix)
			return append(b, 0, 1, 0, 0) // at normal speed
		})
	})
}

func (t *trak) appendTables(b []byte) []byte {
	b = copyAtom(b, "stsd", t.stsd)
	b = t.stts.append(b, "stts")
	if t.stss != nil {
		b = t.stss.append(b, "stss")
	}
	if t.ctts != nil && t.ctts.len() > 0 {
		b = t.ctts.append(b, "ctts")
	}
	b = t.stsc.append(b)
	switch {
	case t.uniformSize != 0:
		b = appendAtom(b, "stsz", t.stsz.header, be.AppendUint32(nil, uint32(t.samples)))
	case t.stsz != nil:
		b = t.stsz.append(b, "stsz")
	}
	name := "stco"
	if t.co64 {
		name = "co64"
	}
	b = t.stco.append(b, name)
	t.stcoAt = len(b) - len(t.stco.data)
	return b
}

// adjust moves the offsets of the chunks in the head of the clip.
func (t *trak) adjust(head []byte, by int64) {
	list := head[t.stcoAt : t.stcoAt+len(t.stco.data)]
	if t.co64 {
		for ; len(list) > 0; list = list[8:] {
			be.PutUint64(list, be.Uint64(list)+uint64(by))
		}
		return
	}
	for ; len(list) > 0; list = list[4:] {
		be.PutUint32(list, be.Uint32(list)+uint32(by))
	}
}

// offset is that of the nth chunk.
func (t *trak) offset(n uint64) uint64 {
	if t.co64 {
		return be.Uint64(t.stco.data[8*n:])
	}
	return uint64(t.stco.at(int(n), 0))
}

// chunkOffset is where in the nth chunk size bytes are over; it has to be
// within the file.
func (t *trak) chunkOffset(m *movie, n, size uint64) (int64, error) {
	off := t.offset(n)
	if off > uint64(m.size)-size || !t.co64 && off+size > math.MaxUint32 {
		return 0, m.fault(`too large chunk offset in "%s"`)
	}
	return int64(off + size), nil
}
