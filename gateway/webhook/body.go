package webhook

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"bellcrank.example/core"
	"bellcrank.example/core/keyring"
	"bellcrank.example/gateway/server"
)

// budget bounds the bytes of all bodies in flight.
type budget struct {
	limit int64
	used  atomic.Int64
}

// holding is what one request has taken of the budget.
type holding struct {
	budget *budget
	held   int64
}

func (h *holding) take(n int64) error {
	if h.budget.used.Add(n) > h.budget.limit {
		h.budget.used.Add(-n)
		return &core.Error{Code: core.Overloaded, Message: "Too many large requests at once; try again later"}
	}
	h.held += n
	return nil
}

func (h *holding) release() {
	h.budget.used.Add(-h.held)
	h.held = 0
}

// take reads and decodes the body, and makes the request that is stored. The
// header that it returns besides has every line, for verification only.
func (v *visit) take() (*core.Request, http.Header, error) {
	if err := v.readBody(v.in.Limits.Body); err != nil {
		return nil, nil, err
	}
	header := headerOf(v.c)
	r := &core.Request{
		Tenant: v.in.Tenant, Integration: v.in.ID(), KeyID: v.keyID,
		ReceivedAt: v.door.cfg.Now(), Source: v.client,
		Method: strings.Clone(v.c.Method()), Path: v.path,
		Query:  string(v.c.Context().URI().QueryString()),
		Header: kept(v.in, header), Body: v.body,
		Encoding: encodingOf(header), State: core.RequestOpen,
		Delivery: deliveryKey(v.in, header, v.body),
		LetIn:    keyring.LetIn(v.in, v.client),
	}
	if v.in.Paused {
		r.State = core.RequestHeld
	}
	return r, header, v.decode(r)
}

// readBody reads the body as sent, within the limit, unless it is read
// already. The stream is absent for a request without a body.
func (v *visit) readBody(limit int64) error {
	declared := int64(v.c.Request().Header.ContentLength()) // -1: chunked
	switch {
	case v.body != nil:
		if int64(len(v.body)) > limit {
			return tooLarge()
		}
		return nil
	case declared > limit:
		return tooLarge()
	}
	v.body = []byte{}
	stream := v.c.Context().RequestBodyStream()
	if stream == nil {
		return nil
	}
	var err error
	v.body, err = collect(stream, declared, limit, v.held)
	switch {
	case err != nil:
		return v.streamFailed(err)
	case declared >= 0 && int64(len(v.body)) != declared, declared < 0 && server.Ended(v.c):
		return v.streamFailed(io.ErrUnexpectedEOF)
	}
	v.spent = true
	return nil
}

// streamFailed says why a body could not be read. Where that isn't our own
// refusal, nothing more can be expected of the connection.
func (v *visit) streamFailed(err error) error {
	if _, ours := errors.AsType[*core.Error](err); ours {
		return err
	}
	v.spent = true
	server.Close(v.c)
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return &core.Error{Code: core.RequestTimeout, Message: "The request took too long to arrive"}
	}
	return &core.Error{Code: core.IncompleteBody, Message: "The body ended before it was complete"}
}

func tooLarge() error {
	return &core.Error{Code: core.PayloadTooLarge, Message: "The body is larger than this integration takes"}
}

// firstRead is the memory that a body gets on trust.
const firstRead = 8 << 10

// collect reads to the end, at most limit bytes. Memory is taken from the
// budget as bytes arrive, not as they are announced, so that announcing costs
// the others nothing.
func collect(r io.Reader, declared, limit int64, held *holding) ([]byte, error) {
	size := min(max(declared, 512), firstRead, limit+1)
	if err := held.take(size); err != nil {
		return nil, err
	}
	// One byte more than the limit shows what goes past it.
	for buf := make([]byte, 0, size); ; {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return nil, tooLarge()
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return nil, err
		case len(buf) < cap(buf):
			continue
		}
		more := int64(cap(buf))
		if declared > int64(len(buf)) {
			more = min(more, declared-int64(len(buf)))
		}
		more = min(more, limit+1-int64(cap(buf)))
		if err := held.take(more); err != nil {
			return nil, err
		}
		buf = append(make([]byte, 0, int64(cap(buf))+more), buf...)
	}
}

// decode undoes the content encoding. What can't be undone is told to a person
// and set aside for a machine, which could do nothing about it.
func (v *visit) decode(r *core.Request) error {
	v.decoded = v.body
	if r.Encoding == "" {
		return nil
	}
	var err error
	v.decoded, err = inflate(r.Encoding, bytes.NewReader(v.body), int64(len(v.body)), v.in.Limits.Body, v.held)
	if e, ok := errors.AsType[*core.Error](err); ok {
		return e
	}
	if err != nil {
		r.Code, r.Reason = core.UnsupportedEncoding, "The body isn't what its Content-Encoding says"
	}
	return nil
}
