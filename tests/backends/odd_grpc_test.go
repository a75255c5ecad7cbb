package backends

import (
	"bufio"
	"encoding/binary"
	"io"
	"strings"

	"golang.org/x/net/http2/hpack"

	"moongate/http/wire/http2"
)

// h2Frame is one of HTTP/2.
func h2Frame(kind http2.FrameType, flags uint8, stream uint32, payload string) string {
	return string(http2.AppendHead(nil, len(payload), kind, flags, stream)) + payload
}

// field is a literal one in a header block.
func field(name, value string) string {
	return "\x00" + string(rune(len(name))) + name + lengthOf(len(value)) + value
}

// lengthOf is the length of a string in a header block.
func lengthOf(n int) string {
	if n < 127 {
		return string([]byte{byte(n)})
	}
	b := []byte{127}
	for n -= 127; n >= 128; n >>= 7 {
		b = append(b, byte(n)|128)
	}
	return string(append(b, byte(n)))
}

const (
	data         = http2.FrameData
	headers      = http2.FrameHeaders
	continuation = http2.FrameContinuation
	endStream    = http2.FlagEndStream
	endHeaders   = http2.FlagEndHeaders
	padded       = http2.FlagPadded
	priority     = http2.FlagPriority
	status200    = "\x88"
)

var (
	settings = h2Frame(http2.FrameSettings, 0, 0, "")
	begin    = settings + h2Frame(headers, endHeaders, 1, status200+field("content-type", "a/b"))
	body5    = h2Frame(data, 0, 1, "hello")
	trailer  = h2Frame(headers, endHeaders|endStream, 1, field("grpc-status", "0"))
	number   = func(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }
)

// readGRPC reads a request of HTTP/2, and what precedes it.
func readGRPC(in *bufio.Reader) (string, error) {
	if b, err := in.Peek(3); err == nil && string(b) == "PRI" {
		if _, err := in.Discard(len(http2.Preface)); err != nil {
			return "", err
		}
	}
	var path string
	for {
		var head [http2.HeadSize]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return "", err
		}
		f, n := http2.ParseHead(head[:])
		b := make([]byte, n)
		if _, err := io.ReadFull(in, b); err != nil {
			return "", err
		}
		if f.Kind == headers {
			fields, err := hpack.NewDecoder(0, nil).DecodeFull(b)
			if err != nil {
				return "", err
			}
			for _, f := range fields {
				if f.Name == ":path" {
					path = f.Value
				}
			}
		}
		if f.Has(endStream) && (f.Kind == headers || f.Kind == data) {
			return path, nil
		}
	}
}

var oddGRPC = speech{
	prefix: "grpc",
	read:   readGRPC,
	fine:   begin + h2Frame(data, 0, 1, "fine") + trailer,
	modes: []mode{
		{"grpc", `grpc_pass %s;`, ""},
		{"grpc-small", `grpc_pass %s; grpc_buffer_size 1k;`, ""},
	},
	odd: []odd{
		{name: "sound", bytes: begin + body5 + trailer},
		{name: "sound-without-trailer", bytes: begin + h2Frame(data, endStream, 1, "hello")},
		{name: "empty-end", bytes: begin + body5 + h2Frame(data, endStream, 1, "")},
		{name: "header-only", bytes: settings + h2Frame(headers, endHeaders|endStream, 1, status200)},
		{name: "without-settings", bytes: h2Frame(headers, endHeaders, 1, status200) + body5 + trailer},
		{name: "slow", bytes: begin + body5 + trailer, slow: true},
		{name: "padded", bytes: settings + h2Frame(headers, endHeaders|padded|priority, 1, "\x03\x00\x00\x00\x00\x10"+status200+"\x00\x00\x00") + h2Frame(data, padded|endStream, 1, "\x02hello\x00\x00")},
		{name: "all-padding", bytes: begin + h2Frame(data, padded, 1, "\x03\x00\x00\x00") + h2Frame(data, endStream, 1, "hello")},
		{name: "too-much-padding", bytes: begin + h2Frame(data, padded, 1, "\x09hello"), then: closes},
		{name: "too-much-padding-in-header", bytes: settings + h2Frame(headers, endHeaders|padded, 1, "\x09"+status200), then: closes},
		{name: "empty-padded-data", bytes: begin + h2Frame(data, padded, 1, ""), then: closes},
		{name: "empty-padded-header", bytes: settings + h2Frame(headers, endHeaders|padded, 1, ""), then: closes},
		{name: "short-priority", bytes: settings + h2Frame(headers, endHeaders|priority, 1, "\x00\x00"), then: closes},
		{name: "continued", bytes: settings + h2Frame(headers, 0, 1, status200+"\x00\x03x-a") + h2Frame(continuation, 0, 1, "\x01b") + h2Frame(continuation, endHeaders, 1, field("x-c", "d")) + body5 + trailer},
		{name: "continued-elsewhere", bytes: settings + h2Frame(headers, 0, 1, status200) + h2Frame(continuation, endHeaders, 3, ""), then: closes},
		{name: "not-continued", bytes: settings + h2Frame(headers, 0, 1, status200) + h2Frame(data, 0, 1, "hello"), then: closes},
		{name: "continuation-first", bytes: settings + h2Frame(continuation, endHeaders, 1, status200), then: closes},
		{name: "data-first", bytes: settings + h2Frame(data, 0, 1, "hello"), then: closes},
		{name: "no-status", bytes: settings + h2Frame(headers, endHeaders, 1, field("x-a", "b")), then: closes},
		{name: "late-status", bytes: settings + h2Frame(headers, endHeaders, 1, field("x-a", "b")+status200), then: closes},
		{name: "two-statuses", bytes: settings + h2Frame(headers, endHeaders, 1, status200+status200), then: closes},
		{name: "other-pseudo-field", bytes: settings + h2Frame(headers, endHeaders, 1, status200+field(":path", "/")), then: closes},
		{name: "short-status", bytes: settings + h2Frame(headers, endHeaders, 1, field(":status", "20")), then: closes},
		{name: "long-status", bytes: settings + h2Frame(headers, endHeaders, 1, field(":status", "2000")), then: closes},
		{name: "invalid-status", bytes: settings + h2Frame(headers, endHeaders, 1, field(":status", "abc")), then: closes},
		{name: "status-100", bytes: settings + h2Frame(headers, endHeaders, 1, field(":status", "100")), then: closes},
		{name: "status-103", since: "1.29.0", bytes: settings + h2Frame(headers, endHeaders, 1, field(":status", "103")) + h2Frame(headers, endHeaders, 1, status200) + body5 + trailer},
		{name: "status-103-at-end", since: "1.29.0", bytes: settings + h2Frame(headers, endHeaders|endStream, 1, field(":status", "103")), then: closes},
		{name: "status-404", bytes: settings + h2Frame(headers, endHeaders|endStream, 1, "\x8d")},
		{name: "capital-in-name", bytes: settings + h2Frame(headers, endHeaders, 1, status200+field("X-a", "b")), then: closes},
		{name: "blank-in-name", bytes: settings + h2Frame(headers, endHeaders, 1, status200+field("x a", "b")), then: closes},
		{name: "no-name", bytes: settings + h2Frame(headers, endHeaders, 1, status200+field("", "b")), then: closes},
		{name: "zero-byte", bytes: settings + h2Frame(headers, endHeaders, 1, status200+field("x-a", "b\x00c")), then: closes},
		{name: "line-in-value", bytes: settings + h2Frame(headers, endHeaders, 1, status200+field("x-a", "b\r\nx-c: d")), then: closes},
		{name: "dynamic-table", bytes: settings + h2Frame(headers, endHeaders, 1, status200+"\xbe"), then: closes},
		{name: "indexed-0", bytes: settings + h2Frame(headers, endHeaders, 1, status200+"\x80"), then: closes},
		{name: "indexed-name-0", bytes: settings + h2Frame(headers, endHeaders, 1, status200+"\x40\x00\x00"), then: closes},
		{name: "table-size-0", bytes: settings + h2Frame(headers, endHeaders|endStream, 1, "\x20"+status200)},
		{name: "table-size-1", bytes: settings + h2Frame(headers, endHeaders|endStream, 1, "\x21"+status200), then: closes},
		{name: "table-size-late", own: "RFC 7541, 4.2", bytes: settings + h2Frame(headers, endHeaders|endStream, 1, status200+"\x20")},
		{name: "huge-number", own: "nginx reads the first byte alone", bytes: settings + h2Frame(headers, endHeaders, 1, status200+"\xff\xff\xff\xff\xff\xff\x7f"), then: closes},
		{name: "truncated-field", bytes: settings + h2Frame(headers, endHeaders, 1, status200+"\x00\x05x-a"), then: closes},
		{name: "bad-huffman", own: "RFC 7541, 5.2", bytes: settings + h2Frame(headers, endHeaders, 1, status200+"\x00\x83\xff\xff\xff\x01b"), then: closes},
		{name: "huffman", bytes: settings + h2Frame(headers, endHeaders|endStream, 1, status200+"\x00"+string([]byte{0x80 | byte(hpack.HuffmanEncodeLength("x-abc"))})+string(hpack.AppendHuffmanString(nil, "x-abc"))+"\x01b")},
		{name: "large-field", since: "1.31.0", bytes: settings + h2Frame(headers, endHeaders|endStream, 1, status200+field("x-a", strings.Repeat("b", 2000)))},
		{name: "larger-field", since: "1.31.0", bytes: settings + h2Frame(headers, endHeaders|endStream, 1, status200+field("x-a", strings.Repeat("b", 9000))), then: closes},
		{name: "many-fields", bytes: settings + h2Frame(headers, 0, 1, status200) + strings.Repeat(h2Frame(continuation, 0, 1, strings.Repeat(field("x-a", "b"), 100)), 20) + h2Frame(continuation, endHeaders, 1, ""), then: closes},
		{name: "endless-continuation", bytes: settings + h2Frame(headers, 0, 1, status200) + strings.Repeat(h2Frame(continuation, 0, 1, ""), 2000), then: closes},
		{name: "connection-field", bytes: settings + h2Frame(headers, endHeaders|endStream, 1, status200+field("connection", "close")+field("keep-alive", "x"))},
		{name: "transfer-encoding", since: "1.23.0", bytes: settings + h2Frame(headers, endHeaders, 1, status200+field("transfer-encoding", "chunked")) + body5 + trailer},
		{name: "length", bytes: settings + h2Frame(headers, endHeaders, 1, status200+field("content-length", "5")) + body5 + trailer},
		{name: "length-too-small", bytes: settings + h2Frame(headers, endHeaders, 1, status200+field("content-length", "4")) + body5 + trailer, then: closes},
		{name: "length-too-large", bytes: settings + h2Frame(headers, endHeaders, 1, status200+field("content-length", "6")) + body5 + trailer, then: closes},
		{name: "length-without-body", since: "1.31.0", bytes: settings + h2Frame(headers, endHeaders|endStream, 1, status200+field("content-length", "5")), then: closes},
		{name: "two-lengths", since: "1.23.0", bytes: settings + h2Frame(headers, endHeaders, 1, status200+field("content-length", "5")+field("content-length", "5")) + body5 + trailer, then: closes},
		{name: "no-content-with-body", bytes: settings + h2Frame(headers, endHeaders, 1, "\x89") + body5 + trailer},
		{name: "trailer-without-end", bytes: begin + body5 + h2Frame(headers, endHeaders, 1, field("grpc-status", "0")), then: closes},
		{name: "pseudo-field-in-trailer", bytes: begin + body5 + h2Frame(headers, endHeaders|endStream, 1, status200), then: closes},
		{name: "capital-in-trailer", bytes: begin + body5 + h2Frame(headers, endHeaders|endStream, 1, field("Grpc-Status", "0")), then: closes},
		{name: "large-trailer", since: "1.31.0", bytes: begin + body5 + h2Frame(headers, endHeaders|endStream, 1, field("x-a", strings.Repeat("b", 2000)))},
		{name: "data-behind-end", bytes: begin + h2Frame(data, endStream, 1, "hello") + h2Frame(data, 0, 1, "evil")},
		{name: "header-behind-end", bytes: begin + h2Frame(data, endStream, 1, "hello") + h2Frame(headers, endHeaders|endStream, 1, status200)},
		{name: "other-stream", bytes: settings + h2Frame(headers, endHeaders|endStream, 3, status200), then: closes},
		{name: "even-stream", bytes: settings + h2Frame(headers, endHeaders|endStream, 2, status200), then: closes},
		{name: "data-of-other-stream", bytes: begin + h2Frame(data, 0, 3, "hello"), then: closes},
		{name: "data-of-no-stream", bytes: begin + h2Frame(data, 0, 0, "hello"), then: closes},
		{name: "push", bytes: settings + h2Frame(http2.FramePush, endHeaders, 1, number(2)+status200), then: closes},
		{name: "large-frame", bytes: begin + h2Frame(data, 0, 1, strings.Repeat("a", 16385)), then: closes},
		{name: "largest-frame", bytes: begin + h2Frame(data, endStream, 1, strings.Repeat("a", 16384))},
		{name: "unknown-frame", bytes: settings + h2Frame(77, 0, 1, "hello") + h2Frame(headers, endHeaders|endStream, 1, status200)},
		{name: "priority-frame", bytes: settings + h2Frame(http2.FramePriority, 0, 1, "\x00\x00\x00\x00\x10") + h2Frame(headers, endHeaders|endStream, 1, status200)},
		{name: "rst", bytes: settings + h2Frame(http2.FrameRST, 0, 1, number(8)), then: closes},
		{name: "rst-without-error", bytes: settings + h2Frame(http2.FrameRST, 0, 1, number(0)), then: closes},
		{name: "rst-in-body", bytes: begin + body5 + h2Frame(http2.FrameRST, 0, 1, number(2)), then: closes},
		{name: "rst-behind-end", bytes: begin + h2Frame(data, endStream, 1, "hello") + h2Frame(http2.FrameRST, 0, 1, number(0))},
		{name: "short-rst", bytes: settings + h2Frame(http2.FrameRST, 0, 1, "\x00"), then: closes},
		{name: "goaway", bytes: settings + h2Frame(http2.FrameGoaway, 0, 0, number(0)+number(11)), then: closes},
		{name: "goaway-behind", bytes: settings + h2Frame(http2.FrameGoaway, 0, 0, number(1)+number(0)) + h2Frame(headers, endHeaders|endStream, 1, status200)},
		{name: "short-goaway", bytes: settings + h2Frame(http2.FrameGoaway, 0, 0, number(0)), then: closes},
		{name: "goaway-of-stream", bytes: settings + h2Frame(http2.FrameGoaway, 0, 1, number(1)+number(0)), then: closes},
		{name: "ping", bytes: settings + h2Frame(http2.FramePing, 0, 0, "12345678") + h2Frame(headers, endHeaders|endStream, 1, status200)},
		{name: "ping-answer", bytes: settings + h2Frame(http2.FramePing, http2.FlagAck, 0, "12345678"), then: closes},
		{name: "short-ping", bytes: settings + h2Frame(http2.FramePing, 0, 0, "1234"), then: closes},
		{name: "ping-of-stream", bytes: settings + h2Frame(http2.FramePing, 0, 1, "12345678"), then: closes},
		{name: "short-settings", bytes: h2Frame(http2.FrameSettings, 0, 0, "12345"), then: closes},
		{name: "settings-of-stream", bytes: h2Frame(http2.FrameSettings, 0, 1, ""), then: closes},
		{name: "settings-answer-with-text", bytes: h2Frame(http2.FrameSettings, http2.FlagAck, 0, "123456"), then: closes},
		{name: "huge-window", bytes: h2Frame(http2.FrameSettings, 0, 0, "\x00\x04\xff\xff\xff\xff"), then: closes},
		{name: "unknown-setting", bytes: h2Frame(http2.FrameSettings, 0, 0, "\x00\xffabcd") + h2Frame(headers, endHeaders|endStream, 1, status200)},
		{name: "window-update", bytes: settings + h2Frame(http2.FrameWindow, 0, 0, number(5)) + h2Frame(http2.FrameWindow, 0, 1, number(5)) + h2Frame(headers, endHeaders|endStream, 1, status200)},
		{name: "window-update-0", since: "1.31.0", bytes: settings + h2Frame(http2.FrameWindow, 0, 0, number(0)), then: closes},
		{name: "window-update-too-large", bytes: settings + h2Frame(http2.FrameWindow, 0, 0, number(1<<31-1)), then: closes},
		{name: "short-window-update", bytes: settings + h2Frame(http2.FrameWindow, 0, 1, "\x00"), then: closes},
		{name: "http", bytes: ok + "\r\nhello", then: closes},
		{name: "nothing", then: closes},
		{name: "nothing-ever", then: stalls},
		{name: "reset", then: resets},
		{name: "half-a-frame-head", bytes: "\x00\x00", then: closes},
		{name: "half-a-header", bytes: settings + h2Frame(headers, endHeaders, 1, status200+field("x-a", "b"))[:12], then: closes},
		{name: "half-a-body", bytes: begin + body5[:11], then: closes},
		{name: "no-end", bytes: begin + body5, then: closes},
		{name: "no-end-ever", bytes: begin + body5, then: stalls},
		{name: "head", method: "HEAD", bytes: begin + body5 + trailer},
		{name: "head-sound", since: "1.31.0", method: "HEAD", bytes: settings + h2Frame(headers, endHeaders|endStream, 1, status200+field("content-length", "5"))},
		{name: "large", bytes: begin + strings.Repeat(h2Frame(data, 0, 1, strings.Repeat("0123456789", 1600)), 4) + trailer},
		{name: "pieces-of-nothing", bytes: begin + strings.Repeat(h2Frame(data, 0, 1, ""), 1000) + trailer},
	},
}
