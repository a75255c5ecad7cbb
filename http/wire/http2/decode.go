package http2

import (
	"errors"
	"fmt"

	"moongate/core/buf"
)

// Field is a decoded field.
type Field struct {
	Name, Value string
	// Static is the number of the name in the static table, 0 when it is not in
	// there or was spelled out.
	Static uint8
}

// DecodeError says why a header block ends the connection: the code of GOAWAY,
// and nginx's texts that follow "client sent " and "upstream sent ".
type DecodeError struct {
	Code           Code
	Text, Upstream string
}

func (e *DecodeError) Error() string { return e.Text }

const (
	truncated  = "truncated http2 header"
	lateUpdate = "table size update behind a header field"
)

// ErrIncomplete is returned for a field that goes on in a CONTINUATION frame.
var ErrIncomplete = errors.New("incomplete field")

var (
	errBlockLength = &DecodeError{FrameSizeError, "header block with incorrect length", truncated}
	errLongIndex   = &DecodeError{CompressionError, "header block with too long header index value", "http2 table index with continuation flag"}
	errLongUpdate  = &DecodeError{CompressionError, "header block with too long size update value", "invalid http2 dynamic table size update: 31"}
	errLongLength  = &DecodeError{CompressionError, "header field with too long length value", "too large http2 header value length"}
	errLateUpdate  = &DecodeError{CompressionError, lateUpdate, lateUpdate}
	errFieldLength = &DecodeError{FrameSizeError, "header field with incorrect length", truncated}
	errEncoding    = &DecodeError{CompressionError, "invalid encoded header field", "invalid encoded header"}
	errNoName      = &DecodeError{ProtocolError, "zero header name length", "zero http2 header name length"}
)

// Decoder decodes header blocks (RFC 7541) within nginx's limits: numbers have
// at most four bytes. It has the dynamic table of a connection.
type Decoder struct {
	// MaxString is the longest name or value, in bytes as they are sent.
	MaxString int
	// maxTable is the largest size of the table that the peer may ask for.
	maxTable int
	table    table
	fields   bool // the block had one: no size update may follow
	scratch  []byte
}

// NewDecoder returns a decoder with an empty table.
func NewDecoder() *Decoder { return &Decoder{maxTable: TableSize, table: table{limit: TableSize}} }

// NewStaticDecoder returns a decoder for a peer that is to use the static table
// only.
func NewStaticDecoder() *Decoder { return &Decoder{} }

// Begin begins a header block.
func (d *Decoder) Begin() { d.fields = false }

// Next decodes the first field in b, which is not empty, and returns how many
// bytes it takes. Name is empty after a change of the table's size. The strings
// live in mem; without mem they are the decoder's until the next call. last says
// that the block ends with b: if not, ErrIncomplete asks for the same bytes
// with more behind them. Any other error is a *DecodeError, and the last one.
func (d *Decoder) Next(b []byte, last bool, mem *buf.Arena) (f Field, n int, err error) {
	d.scratch = d.scratch[:0]
	c := b[0]
	switch {
	case c >= 0x80:
		d.fields = true
		index, n, err := number(b, 7, last, errLongIndex)
		if err != nil {
			return f, 0, err
		}
		f, err = d.indexed(index, mem)
		return f, n, err
	case c >= 0x40:
		return d.literal(b, 6, last, mem)
	case c >= 0x20:
		size, n, err := number(b, 5, last, errLongUpdate)
		switch {
		case err != nil:
			return f, 0, err
		case d.fields:
			return f, 0, errLateUpdate
		case size > d.maxTable:
			return f, 0, &DecodeError{CompressionError,
				fmt.Sprintf("invalid table size update: %d", size), fmt.Sprintf("invalid http2 dynamic table size update: %d", size)}
		}
		d.table.setLimit(size)
		return f, n, nil
	}
	return d.literal(b, 4, last, mem)
}

// indexed returns a field of the tables.
func (d *Decoder) indexed(index int, mem *buf.Arena) (f Field, err error) {
	if f, err = d.name(index, mem); err != nil {
		return f, err
	}
	if index <= len(staticTable) {
		f.Value = staticTable[index-1].value
		return f, nil
	}
	_, _, value := d.table.get(index - len(staticTable) - 1)
	f.Value = d.keep(value, mem)
	return f, nil
}

// name returns the name of a field of the tables.
func (d *Decoder) name(index int, mem *buf.Arena) (f Field, err error) {
	switch {
	case index == 0 || index > len(staticTable)+d.table.len():
		return f, &DecodeError{CompressionError,
			fmt.Sprintf("invalid hpack table index %d", index), fmt.Sprintf("invalid http2 table index: %d", index)}
	case index <= len(staticTable):
		return Field{Name: staticTable[index-1].name, Static: uint8(index)}, nil
	}
	e, name, _ := d.table.get(index - len(staticTable) - 1)
	if e.static != 0 {
		return Field{Name: staticTable[e.static-1].name, Static: e.static}, nil
	}
	return Field{Name: d.keep(name, mem)}, nil
}

// literal decodes a field with a value of its own, whose index has so many
// bits; with six it goes into the table.
func (d *Decoder) literal(b []byte, bits uint, last bool, mem *buf.Arena) (f Field, n int, err error) {
	d.fields = true
	index, n, err := number(b, bits, last, errLongIndex)
	if err != nil {
		return f, 0, err
	}
	var name []byte
	nameCoded := false
	if index == 0 {
		if name, nameCoded, n, err = d.str(b, n, last, "name"); err != nil {
			return f, 0, err
		}
	}
	value, valueCoded, n, err := d.str(b, n, last, "value")
	if err != nil {
		return f, 0, err
	}
	if index != 0 {
		f, err = d.name(index, mem)
	} else {
		f.Name, err = d.decode(name, nameCoded, mem)
		if err == nil && f.Name == "" {
			err = errNoName
		}
	}
	if err != nil {
		return f, 0, err
	}
	if f.Value, err = d.decode(value, valueCoded, mem); err != nil {
		return f, 0, err
	}
	if bits == 6 {
		d.table.add(f.Name, f.Value, f.Static)
	}
	return f, n, nil
}

// str finds the string at b[at:], a name or a value, and where it ends.
func (d *Decoder) str(b []byte, at int, last bool, what string) (s []byte, coded bool, end int, err error) {
	if at == len(b) {
		if last {
			return nil, false, 0, errBlockLength
		}
		return nil, false, 0, ErrIncomplete
	}
	length, n, err := number(b[at:], 7, last, errLongLength)
	switch {
	case err != nil:
		return nil, false, 0, err
	case length > d.MaxString:
		return nil, false, 0, &DecodeError{EnhanceYourCalm,
			"too large header field", fmt.Sprintf("too large http2 header %s length: %d", what, length)}
	}
	end = at + n + length
	switch {
	case end <= len(b):
		return b[at+n : end], b[at] >= 0x80, end, nil
	case last:
		return nil, false, 0, errFieldLength
	}
	return nil, false, 0, ErrIncomplete
}

// decode returns a string in memory that lasts.
func (d *Decoder) decode(s []byte, coded bool, mem *buf.Arena) (string, error) {
	if !coded {
		return d.keep(s, mem), nil
	}
	room := d.room(len(s)*8/5+1, mem)
	out, ok := decodeHuffman(room, s)
	if !ok {
		return "", errEncoding
	}
	if mem == nil {
		d.scratch = d.scratch[:len(d.scratch)+len(out)]
	}
	return buf.String(out), nil
}

func (d *Decoder) keep(s []byte, mem *buf.Arena) string {
	b := append(d.room(len(s), mem), s...)
	if mem == nil {
		d.scratch = d.scratch[:len(d.scratch)+len(b)]
	}
	return buf.String(b)
}

// room is memory for n bytes. Strings in scratch stay where they are when it
// has to be replaced.
func (d *Decoder) room(n int, mem *buf.Arena) []byte {
	if mem != nil {
		return mem.Alloc(n)[:0]
	}
	if used := len(d.scratch); cap(d.scratch)-used < n {
		d.scratch = make([]byte, 0, 2*(used+n))
	}
	return d.scratch[len(d.scratch):]
}

// number reads a number whose first byte has so many bits of it (RFC 7541,
// 5.1), and returns how many bytes it takes: at most four.
func number(b []byte, bits uint, last bool, tooLong error) (v, n int, err error) {
	const most = 4
	prefix := 1<<bits - 1
	if v = int(b[0]) & prefix; v != prefix {
		return v, 1, nil
	}
	for n = 1; n < min(len(b), most); n++ {
		v += int(b[n]&0x7f) << (7 * (n - 1))
		if b[n] < 0x80 {
			return v, n + 1, nil
		}
	}
	switch {
	case last && len(b) <= most:
		return 0, 0, errBlockLength
	case len(b) >= most:
		return 0, 0, tooLong
	}
	return 0, 0, ErrIncomplete
}
