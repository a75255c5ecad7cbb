package spec

import (
	"fmt"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decoded returns the body without its Content-Encoding.
func (r *response) decoded() (string, error) {
	in := strings.NewReader(r.body)
	var body io.Reader
	var err error
	switch coding := strings.Join(r.get("Content-Encoding"), ","); coding {
	case "gzip":
		body, err = gzip.NewReader(in)
	case "br":
		body = brotli.NewReader(in)
	case "zstd":
		body, err = zstd.NewReader(in)
	default:
		return "", fmt.Errorf("the body has the encoding %q, which cannot be decoded", coding)
	}
	if err != nil {
		return "", fmt.Errorf("decoding the body: %w", err)
	}
	text, err := io.ReadAll(body)
	return string(text), wrap("decoding the body:", err)
}
