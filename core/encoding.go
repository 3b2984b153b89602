package core

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/zlib"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// NewDecoder returns a reader of the decoded bytes of a body. Encodings are
// those of a Content-Encoding header with one layer: "", "identity", "gzip",
// "x-gzip", "deflate" and "zstd"; others are an *Error with code
// UnsupportedEncoding. It bounds nothing but zstd's window (8 MiB): the caller
// counts what it reads.
func NewDecoder(body io.Reader, encoding string) (io.ReadCloser, error) {
	switch encoding {
	case "", "identity":
		return io.NopCloser(body), nil
	case "gzip", "x-gzip":
		return gzip.NewReader(body)
	case "deflate":
		return deflate(body)
	case "zstd":
		d, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return nil, &Error{Code: UnsupportedEncoding, Message: "The body must be sent plain or with one of gzip, deflate and zstd."}
}

// deflate reads both things that senders call so: with zlib's header, as the
// specification says, and without.
func deflate(body io.Reader) (io.ReadCloser, error) {
	peeked := bufio.NewReader(body)
	head, err := peeked.Peek(2)
	if err == nil && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return zlib.NewReader(peeked)
	}
	return flate.NewReader(peeked), nil
}

// Decode returns the decoded body, an error if it is longer than limit bytes.
func Decode(body []byte, encoding string, limit int64) ([]byte, error) {
	if encoding == "" || encoding == "identity" {
		return body, nil
	}
	d, err := NewDecoder(bytes.NewReader(body), encoding)
	if err != nil {
		return nil, fmt.Errorf("open %s body: %w", encoding, err)
	}
	defer d.Close()
	decoded, err := io.ReadAll(io.LimitReader(d, limit+1))
	if err != nil {
		return nil, fmt.Errorf("decode %s body: %w", encoding, err)
	}
	if int64(len(decoded)) > limit {
		return nil, &Error{Code: PayloadTooLarge, Message: fmt.Sprintf("The decoded body is longer than %d bytes.", limit)}
	}
	return decoded, nil
}
