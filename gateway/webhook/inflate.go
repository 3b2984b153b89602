package webhook

import (
	"bufio"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"bellcrank.example/core"
)

// maxRatio is how many times larger than what was sent a body may become. A
// small body of white space can do that honestly, so it is asked only past
// ratioFloor bytes.
const (
	maxRatio   = 100
	ratioFloor = 64 << 10
)

// zstdWindow is the greatest window that the specification asks decoders to
// support.
const zstdWindow = 8 << 20

// inflate undoes one layer of encoding, reading no more than it may return. A
// *core.Error says that the body is too large or the encoding unknown; any
// other error, that the body isn't encoded so.
func inflate(encoding string, body io.Reader, sent, limit int64, held *holding) ([]byte, error) {
	r, err := decoder(encoding, body, held)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if ratio := max(sent*maxRatio, ratioFloor); ratio < limit {
		limit = ratio
	}
	return collect(r, -1, limit, held)
}

func decoder(encoding string, body io.Reader, held *holding) (io.ReadCloser, error) {
	switch encoding {
	case "gzip", "x-gzip":
		return wrapped(gzip.NewReader(body))
	case "deflate":
		return deflate(body)
	case "zstd":
		if err := held.take(zstdWindow); err != nil {
			return nil, err
		}
		d, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return d.IOReadCloser(), nil
	}
	return nil, &core.Error{
		Code:    core.UnsupportedEncoding,
		Message: "Content-Encoding must be one of identity, gzip, deflate and zstd",
	}
}

// wrapped keeps a nil reader from becoming an interface that isn't nil.
func wrapped(r *gzip.Reader, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return r, nil
}

// deflate reads both things that senders call so: with zlib's header, as the
// specification says, and without.
func deflate(body io.Reader) (io.ReadCloser, error) {
	peeked := bufio.NewReader(body)
	if head, err := peeked.Peek(2); err == nil && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return zlib.NewReader(peeked)
	}
	return flate.NewReader(peeked), nil
}
