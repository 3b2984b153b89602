package webhook

import (
	"fmt"
	"io"

	"bellcrank.example/core"
)

// maxRatio is how many times larger than what was sent a body may become. A
// small body of white space can do that honestly, so it is asked only past
// ratioFloor bytes.
const (
	maxRatio   = 100
	ratioFloor = 64 << 10
)

// zstdWindow is the greatest window that a body may ask for.
const zstdWindow = 8 << 20

// inflate undoes one layer of encoding, reading no more than it may return. A
// *core.Error says that the body is too large or the encoding unknown; any
// other error, that the body isn't encoded so.
func inflate(encoding string, body io.Reader, sent, limit int64, held *holding) ([]byte, error) {
	if encoding == "zstd" {
		// Decoders have the window in memory before they give out a byte.
		if err := held.take(zstdWindow); err != nil {
			return nil, err
		}
	}
	r, err := core.NewDecoder(body, encoding)
	if err != nil {
		return nil, fmt.Errorf("open %s body: %w", encoding, err)
	}
	defer r.Close()
	if ratio := max(sent*maxRatio, ratioFloor); ratio < limit {
		limit = ratio
	}
	return collect(r, -1, limit, held)
}
