package wire

import (
	"errors"
	"math"
	"strconv"
)

// ErrChunked is the error of a chunked body that breaks RFC 9112, section 7.1.
var ErrChunked = errors.New("invalid chunked body")

// ChunkStatus is what Chunked.Parse came to.
type ChunkStatus uint8

// The outcomes of parsing chunked framing.
const (
	ChunkAgain ChunkStatus = iota // everything was framing, more is needed
	ChunkData                     // data of a chunk begins
	ChunkDone                     // the body is complete
)

// Chunked parses the framing of a chunked body (ngx_http_parse_chunked). Lines
// end with CR LF only. Chunk extensions are skipped, and so are trailers,
// unless KeepTrailers: then the body is done after the last chunk's line, and
// the trailers are header lines like any other.
type Chunked struct {
	KeepTrailers bool

	// Size is the number of bytes still to come of the chunk: the caller
	// takes them with Consume.
	Size int64

	state chunkState
}

type chunkState uint8

const (
	chunkStart chunkState = iota
	chunkSize
	chunkExtension
	chunkExtensionAlmostDone
	chunkData
	chunkAfterData
	chunkAfterDataAlmostDone
	chunkLastExtension
	chunkLastExtensionAlmostDone
	chunkTrailer
	chunkTrailerAlmostDone
	chunkTrailerHeader
	chunkTrailerHeaderAlmostDone
)

// Parse parses framing at the start of b and returns its length n. With
// ChunkData, the data begin at b[n], there is at least one byte of them and up
// to Size; after Consume of what was there Parse goes on.
func (c *Chunked) Parse(b []byte) (n int, status ChunkStatus, err error) {
	if c.state == chunkData && c.Size == 0 {
		c.state = chunkAfterData
	}
	for ; n < len(b); n++ {
		if c.state == chunkData {
			status = ChunkData
			break
		}
		done, ok := c.byte(b[n])
		if !ok {
			return n, ChunkAgain, ErrChunked
		}
		if done {
			c.state = chunkStart
			return n + 1, ChunkDone, nil
		}
	}
	// Left is Size and some framing and must not overflow.
	if c.Size > math.MaxInt64-9 {
		return n, ChunkAgain, ErrChunked
	}
	return n, status, nil
}

// InData reports whether the next byte is data of a chunk, of which there are
// Size bytes.
func (c *Chunked) InData() bool { return c.state == chunkData && c.Size > 0 }

// Consume takes n bytes of the data of the chunk.
func (c *Chunked) Consume(n int) { c.Size -= int64(n) }

// byte takes one byte of framing.
func (c *Chunked) byte(b byte) (done, ok bool) {
	switch c.state {
	case chunkStart:
		d, hex := hexValue(b)
		c.Size = int64(d)
		c.state = chunkSize
		return false, hex
	case chunkSize:
		return false, c.sizeByte(b)
	case chunkAfterData:
		c.state = chunkAfterDataAlmostDone
		return false, b == '\r'
	case chunkTrailer:
		switch b {
		case '\r':
			c.state = chunkTrailerAlmostDone
		default:
			c.state = chunkTrailerHeader
		}
		return false, b != '\n'
	case chunkExtension, chunkLastExtension, chunkTrailerHeader:
		if b == '\r' {
			c.state++
		}
		return false, b != '\n'
	}
	if b != '\n' {
		return false, false
	}
	switch c.state {
	case chunkExtensionAlmostDone:
		c.state = chunkData
	case chunkAfterDataAlmostDone:
		c.state = chunkStart
	case chunkLastExtensionAlmostDone:
		c.state = chunkTrailer
		return c.KeepTrailers, true
	case chunkTrailerHeaderAlmostDone:
		c.state = chunkTrailer
	case chunkTrailerAlmostDone:
		return true, true
	}
	return false, true
}

func (c *Chunked) sizeByte(b byte) bool {
	if c.Size > math.MaxInt64/16 {
		return false
	}
	if d, ok := hexValue(b); ok {
		c.Size = c.Size*16 + int64(d)
		return true
	}
	switch b {
	case '\r':
		c.state = chunkExtensionAlmostDone
	case ';', ' ', '\t':
		c.state = chunkExtension
	default:
		return false
	}
	if c.Size == 0 {
		c.state += chunkLastExtension - chunkExtension
	}
	return true
}

// Left is the least number of bytes that must still come for the body to be
// complete: what is safe to read without reaching a next request.
func (c *Chunked) Left() int64 {
	const end = int64(len("\r\n0\r\n\r\n"))
	switch c.state {
	case chunkStart:
		return end - 2
	case chunkSize:
		if c.Size == 0 {
			return 4
		}
		return 2 + c.Size + end
	case chunkExtension:
		return 2 + c.Size + end
	case chunkExtensionAlmostDone:
		return 1 + c.Size + end
	case chunkData:
		return c.Size + end
	case chunkAfterData:
		return end
	case chunkAfterDataAlmostDone:
		return end - 1
	case chunkLastExtension, chunkTrailerHeader:
		return 4
	case chunkLastExtensionAlmostDone, chunkTrailerHeaderAlmostDone:
		return 3
	case chunkTrailer:
		return 2
	}
	return 1
}

// LastChunk ends a chunked body without trailers.
const LastChunk = "0\r\n\r\n"

// AppendChunkSize appends the line before size bytes of data, which are
// followed by CR LF. Size must not be 0: see LastChunk.
func AppendChunkSize(b []byte, size int64) []byte {
	b = strconv.AppendInt(b, size, 16)
	return append(b, '\r', '\n')
}
