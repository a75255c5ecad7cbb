package lib

import (
	"bufio"
	"errors"
	"hash/adler32"
	"hash/crc32"
	"io"
	"slices"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// openZlib makes ffi-zlib (https://github.com/hamishforbes/lua-ffi-zlib), without the functions that take zlib's streams.
func openZlib(l *lua.LState) int {
	return native.Return(l, native.Module(l, "0.6", map[string]lua.LGFunction{
		"version":     func(l *lua.LState) int { return native.Return(l, lua.LString("1.3.1")) },
		"inflateGzip": zlibInflate,
		"deflateGzip": zlibDeflate,
		"crc": func(l *lua.LState) int {
			from, _ := vm.ToNumber(l.Get(2))
			return native.Return(l, vm.Number(crc32.Update(uint32(from), crc32.IEEETable, buf.Bytes(vm.OptString(l, 1, "")))))
		},
		"adler": func(l *lua.LState) int {
			from, _ := vm.ToNumber(l.Get(2))
			return native.Return(l, vm.Number(updateAdler(uint32(from), vm.OptString(l, 1, ""))))
		},
	}))
}

// updateAdler goes on with a sum of RFC 1950. The sum of nothing is 1, but programs may begin with 0.
func updateAdler(from uint32, s string) uint32 {
	if from == 1 {
		return adler32.Checksum(buf.Bytes(s))
	}
	const mod = 65521
	a, b := from&0xffff, from>>16
	for _, c := range []byte(s) {
		a = (a + uint32(c)) % mod
		b = (b + a) % mod
	}
	return b<<16 | a
}

// The format that zlib's windowBits asks for, besides the size of the window, which is always the greatest.
const (
	zlibGzip = 16 // is added for gzip
	zlibAuto = 32 // for gzip or zlib, whichever it is
)

// zlibChunk is the size of the pieces that functions are asked for and given, in bytes, if nothing is said.
const (
	zlibChunk    = 16384
	maxZlibChunk = 16 << 20
)

// errNoInput is what a text that ends too early says.
//
//lint:ignore ST1005 the library's own text
var errNoInput = errors.New("Data error, no input bytes")

// luaReader reads what a function gives for a size, until it gives nil.
type luaReader struct {
	l     *lua.LState
	input *lua.LFunction
	size  int
	rest  string
}

// Read implements io.Reader.
func (r *luaReader) Read(b []byte) (int, error) {
	if r.rest == "" {
		r.l.Push(r.input)
		r.l.Push(vm.Number(r.size))
		vm.Call(r.l, 1, 1)
		s, ok := vm.ToString(r.l.Get(-1))
		r.l.Pop(1)
		if !ok {
			return 0, io.EOF
		}
		r.rest = s
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// luaWriter gives a function what is written, in pieces of at most size bytes; the function may return nil and an error.
type luaWriter struct {
	l      *lua.LState
	output *lua.LFunction
	size   int
}

// Write implements io.Writer.
func (w *luaWriter) Write(b []byte) (int, error) {
	for piece := range slices.Chunk(b, w.size) {
		w.l.Push(w.output)
		w.l.Push(lua.LString(piece))
		vm.Call(w.l, 1, 2)
		ok, reason := w.l.Get(-2), w.l.Get(-1)
		w.l.Pop(2)
		if text, is := vm.ToString(reason); is && !lua.LVAsBool(ok) {
			return 0, errors.New(text)
		}
	}
	return len(b), nil
}

// zlibEnds are the functions and the size at the first three arguments.
func zlibEnds(l *lua.LState) (*luaReader, *bufio.Writer) {
	size := min(max(vm.OptInt(l, 3, zlibChunk), 1), maxZlibChunk)
	out := bufio.NewWriterSize(&luaWriter{l, vm.CheckFunction(l, 2), size}, size)
	return &luaReader{l: l, input: vm.CheckFunction(l, 1), size: size}, out
}

// retZlib returns true and zlib's word for the end, or false and what failed.
func retZlib(l *lua.LState, what string, err error) int {
	if err != nil {
		l.Push(lua.LFalse)
		l.Push(lua.LString(what + ": " + err.Error()))
		return 2
	}
	l.Push(lua.LTrue)
	l.Push(lua.LString("stream end"))
	return 2
}

// zlibInflate is inflateGzip(input, output, size?, windowBits?).
func zlibInflate(l *lua.LState) int {
	in, out := zlibEnds(l)
	bits := vm.OptInt(l, 4, 15+zlibAuto)
	source := bufio.NewReader(in)
	err := inflate(out, source, bits)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = errNoInput
	}
	if flushed := out.Flush(); err == nil {
		err = flushed
	}
	return retZlib(l, "INFLATE", err)
}

// inflate decompresses one member.
func inflate(out io.Writer, source *bufio.Reader, bits int) error {
	var r io.Reader
	var err error
	head, _ := source.Peek(2)
	isGzip := len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b
	switch {
	case bits < 0:
		r = flate.NewReader(source)
	case bits >= zlibAuto && isGzip || bits >= zlibGzip && bits < zlibAuto:
		z, failed := gzip.NewReader(source)
		if r, err = z, failed; err == nil {
			z.Multistream(false)
		}
	default:
		r, err = zlib.NewReader(source)
	}
	if err != nil {
		return zlibError(err)
	}
	_, err = io.Copy(out, r)
	return zlibError(err)
}

// zlibError has zlib's text for what is wrong with the data.
func zlibError(err error) error {
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, zlib.ErrHeader) || errors.Is(err, zlib.ErrChecksum) {
		return errors.New("data error")
	}
	return err
}

// zlibDeflate is deflateGzip(input, output, size?, {level = …, windowBits = …}).
func zlibDeflate(l *lua.LState) int {
	in, out := zlibEnds(l)
	level, bits := flate.DefaultCompression, 15+zlibGzip
	if t, ok := l.Get(4).(*lua.LTable); ok {
		if n, ok := vm.ToNumber(t.RawGetString("level")); ok {
			level = int(n)
		}
		if n, ok := vm.ToNumber(t.RawGetString("windowBits")); ok {
			bits = int(n)
		}
	}
	w, err := deflater(out, level, bits)
	if err != nil {
		return retZlib(l, "INIT", errors.New("stream error"))
	}
	_, err = io.Copy(w, in)
	if closed := w.Close(); err == nil {
		err = closed
	}
	if flushed := out.Flush(); err == nil {
		err = flushed
	}
	return retZlib(l, "DEFLATE", err)
}

// deflater compresses in the format of windowBits.
func deflater(out io.Writer, level, bits int) (io.WriteCloser, error) {
	switch {
	case bits < 0:
		return flate.NewWriter(out, level)
	case bits >= zlibGzip:
		return gzip.NewWriterLevel(out, level)
	}
	return zlib.NewWriterLevel(out, level)
}
