package mp4

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// box makes an atom.
func box(name string, data ...[]byte) []byte { return appendAtom(nil, name, data...) }

// full makes an atom of version 0 of numbers.
func full(name string, numbers ...uint32) []byte {
	b := make([]byte, 4)
	for _, n := range numbers {
		b = be.AppendUint32(b, n)
	}
	return box(name, b)
}

const (
	sampleTime = 100 // of 1000 per second
	scale      = 1000
)

// film makes a file of one track whose samples are of the given sizes, so many
// in each chunk. The bytes of sample i are all byte(i).
func film(sizes []int, perChunk int, moovFirst bool) []byte {
	var mdat []byte
	var offsets, lengths []uint32
	for i, size := range sizes {
		if i%perChunk == 0 {
			offsets = append(offsets, uint32(len(mdat)))
		}
		mdat = append(mdat, bytes.Repeat([]byte{byte(i)}, size)...)
		lengths = append(lengths, uint32(size))
	}
	n := uint32(len(sizes))
	chunks := []uint32{1, 1, uint32(perChunk), 1}
	if rest := len(sizes) % perChunk; rest != 0 && len(sizes) > perChunk {
		chunks = []uint32{2, 1, uint32(perChunk), 1, uint32(len(offsets)), uint32(rest), 1}
	} else if rest != 0 {
		chunks[2] = uint32(rest)
	}
	moov := func(base uint32) []byte {
		at := []uint32{uint32(len(offsets))}
		for _, o := range offsets {
			at = append(at, o+base)
		}
		stbl := box("stbl", full("stsd", 1, 8, 0), full("stts", 1, n, sampleTime), full("stss", 1, 1),
			full("stsc", chunks...), full("stsz", append([]uint32{0, n}, lengths...)...), full("stco", at...))
		mdhd := full("mdhd", 0, 0, scale, n*sampleTime, 0)
		trak := box("trak", append(full("tkhd", append([]uint32{0, 0, 1, 0, n * sampleTime}, make([]uint32, 15)...)...),
			box("mdia", mdhd, box("minf", stbl))...))
		return box("moov", full("mvhd", append([]uint32{0, 0, scale, n * sampleTime}, make([]uint32, 20)...)...), trak)
	}
	ftyp := box("ftyp", []byte("isom\x00\x00\x00\x00"))
	if !moovFirst {
		return bytes.Join([][]byte{ftyp, box("mdat", mdat), moov(uint32(len(ftyp) + headerSize))}, nil)
	}
	return bytes.Join([][]byte{ftyp, moov(uint32(len(ftyp) + len(moov(0)) + headerSize)), box("mdat", mdat)}, nil)
}

func cutOf(file []byte, start, length uint64, keyFrame bool) (clip, error) {
	m := movie{
		name: "x", file: bytes.NewReader(file), size: int64(len(file)), start: start, length: length,
		maxMoov: 1 << 20, keyFrame: keyFrame,
	}
	return m.cut()
}

// samples plays a file: it returns the data of all its samples in order.
func samples(t interface{ Fatalf(string, ...any) }, file []byte) (data []byte) {
	m := movie{name: "x", file: bytes.NewReader(file), size: int64(len(file)), length: 1, maxMoov: 1 << 20}
	if err := m.read(); err != nil {
		t.Fatalf("%v", err)
	}
	tr := m.traks[0]
	sample := 0
	for chunk := range tr.stco.len() {
		n := uint32(0)
		for _, e := range tr.stsc.entries {
			if e.chunk <= uint32(chunk+1) {
				n = e.samples
			}
		}
		off := tr.stco.at(chunk, 0)
		for ; n > 0; n-- {
			size := tr.stsz.at(sample, 0)
			data = append(data, file[off:off+size]...)
			off, sample = off+size, sample+1
		}
	}
	if sample != tr.stsz.len() {
		t.Fatalf("%d samples in chunks, %d sizes", sample, tr.stsz.len())
	}
	return data
}

func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(1, 9), 2, 40).Draw(t, "sizes")
		file := film(sizes, rapid.IntRange(1, 7).Draw(t, "samples in a chunk"), rapid.Bool().Draw(t, "moov first"))
		from := rapid.IntRange(0, len(sizes)-1).Draw(t, "from")
		count := rapid.IntRange(0, len(sizes)-from).Draw(t, "count")
		cut, err := cutOf(file, uint64(from*sampleTime), uint64(count*sampleTime), false)
		if errors.Is(err, errWhole) && from == 0 && count == 0 {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if count == 0 {
			count = len(sizes) - from
		}
		var want []byte
		for i := from; i < from+count; i++ {
			want = append(want, bytes.Repeat([]byte{byte(i)}, sizes[i])...)
		}
		played := samples(t, append(cut.head, file[cut.start:cut.end]...))
		if !bytes.Equal(want, played) {
			t.Fatalf("want %v, got %v", want, played)
		}
	})
}

func TestCutAtKeyFrame(t *testing.T) {
	file := film([]int{1, 2, 3, 4}, 2, true)
	cut, err := cutOf(file, 2*sampleTime, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	// The only key frame is the first one.
	if got := samples(t, append(cut.head, file[cut.start:cut.end]...)); len(got) != 10 {
		t.Errorf("%v", got)
	}
	if !bytes.Contains(cut.head, []byte("elst")) {
		t.Error("no edit list")
	}
}

func TestCutRefuses(t *testing.T) {
	good := film([]int{1, 2, 3, 4}, 2, false)
	change := func(name string, at int, b ...byte) []byte {
		f := bytes.Clone(good)
		copy(f[bytes.Index(f, []byte(name))+at:], b)
		return f
	}
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, `no mp4 trak atoms were found in "x"`},
		{"truncated", good[:len(good)-1], `"x" mp4 atom too large:`},
		{"small", []byte("\x00\x00\x00\x05ftyp"), `"x" mp4 atom is too small:5`},
		{"cut in a header", []byte("\x00\x00"), `"x" mp4 file truncated`},
		{"no moov", box("mdat", []byte("x")), `no mp4 trak atoms were found in "x"`},
		{"cmov", box("moov", box("cmov")), "compressed moov atom (cmov) is not supported"},
		{"two ftyp", append(box("ftyp"), box("ftyp")...), `duplicate mp4 ftyp atom in "x"`},
		{"stts entries", change("stts", 8, 0xff), `"x" mp4 stts atom too small`},
		{"stsc empty", change("stsc", 8, 0, 0, 0, 0), `zero number of entries in stsc atom in "x"`},
		{"stsc zero", change("stsc", 16, 0, 0, 0, 0), `start time is out mp4 stsc chunks in "x"`},
		{"stco offset", change("stco", 12+4, 0xff), `too large chunk offset in "x"`},
		{"no stco", change("stco", 0, 'x'), `start time is out mp4 stsc chunks in "x"`},
		{"short", change("mvhd", 4+16, 0, 0, 0, 1), `"x" mp4 start time exceeds file duration`},
	}
	for _, tt := range tests {
		_, err := cutOf(tt.file, 250, 0, false)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestParseSeconds(t *testing.T) {
	tests := []struct {
		in   string
		want uint64
		ok   bool
	}{
		{"1", 1000, true}, {"1.5", 1500, true}, {"0.0019999", 1, true}, {".25", 250, true}, {"12.", 12000, true},
		{"", 0, false}, {"-1", 0, false}, {"1.2.3", 0, false}, {"1e3", 0, false}, {"99999999999999999999", 0, false},
	}
	for _, tt := range tests {
		if got, ok := parseSeconds([]byte(tt.in)); got != tt.want || ok != tt.ok {
			t.Errorf("%q: %d, %v", tt.in, got, ok)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add(film([]int{1, 2, 3, 4, 5}, 2, true), uint64(150), uint64(200), true)
	f.Add(film([]int{1, 2, 3, 4, 5}, 2, false), uint64(0), uint64(0), false)
	f.Fuzz(func(t *testing.T, file []byte, start, length uint64, keyFrame bool) {
		cut, err := cutOf(file, start, length, keyFrame)
		if err == nil && (cut.start < 0 || cut.end > int64(len(file)) || cut.start >= cut.end) {
			t.Errorf("%d-%d of %d", cut.start, cut.end, len(file))
		}
	})
}
