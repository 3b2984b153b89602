package wire

import (
	"bytes"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/encoding"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire/adapterv1"
	"bellcrank.example/sdk/internal/wire/destinationv1"
)

// Call is a request as a plugin gets it.
type Call struct {
	Number   uint64
	Deadline time.Time
	Request  sdk.Request // settings don't travel with it
	// Err says how the gateway broke the contract. The call is to be answered
	// with it.
	Err error
}

// Answer is what a plugin says to a call: a result or a failure.
type Answer struct {
	Call     uint64
	ID       string
	Result   *sdk.Result
	Failure  *sdk.Failure
	Oversize bool // the failure: too large for a stream
	Size     int  // of the message that it was read from, in bytes; 0 if it wasn't
}

// Encoded is a message in a buffer, which is used again once it has been sent.
type Encoded struct{ buffer *[]byte }

// Len is how many bytes the message has.
func (e Encoded) Len() int { return len(*e.buffer) }

// Message is an answer as it came, of which only the call is known.
type Message struct {
	Call uint64
	text string
}

// Codec is gRPC's for protobuf. It also sends what is an Encoded already, and
// reads an answer as a Message, those to a batch as a Batch, and a request as a
// Call. A destination's answer is looked at before the library reads it.
func Codec() encoding.CodecV2 { return codec{encoding.GetCodecV2(encodingproto.Name)} }

type codec struct{ encoding.CodecV2 }

// Marshal returns a message's bytes.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if e, ok := v.(Encoded); ok {
		return mem.BufferSlice{mem.NewBuffer(e.buffer, buffers)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal reads a message.
func (c codec) Unmarshal(data mem.BufferSlice, v any) (err error) {
	switch to := v.(type) {
	case *Message:
		*to, err = messageOf(textOf(data))
	case *Batch:
		*to = Batch{textOf(data)}
	case *Call:
		buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
		defer buffer.Free()
		*to, err = readCall(buffer.ReadOnlyData())
	case *destinationv1.DeliverResponse:
		if err = checkStep(textOf(data)); err == nil {
			err = c.CodecV2.Unmarshal(data, v)
		}
	default:
		return c.CodecV2.Unmarshal(data, v)
	}
	return err
}

// textOf copies a message, once.
func textOf(data mem.BufferSlice) string {
	var text strings.Builder
	text.Grow(data.Len())
	for _, part := range data {
		text.Write(part.ReadOnlyData())
	}
	return text.String()
}

// messageOf looks for the call that an answer belongs to.
func messageOf(text string) (Message, error) {
	m := Message{text: text}
	f := fields[string]{rest: text}
	for f.next() {
		if f.tag == 1<<3|varint {
			m.Call = f.n
		}
	}
	return m, f.err
}

// encodeSize is what a buffer begins with, in bytes, and maxBuffer how large
// one may be that is kept.
const (
	encodeSize = 4 << 10
	maxBuffer  = 64 << 10
)

// buffers are those of messages.
var buffers = &pool{sync.Pool{New: func() any {
	buffer := make([]byte, 0, encodeSize)
	return &buffer
}}}

type pool struct{ sync.Pool }

// Get returns a buffer of so many bytes.
func (p *pool) Get(length int) *[]byte {
	buffer := p.Pool.Get().(*[]byte)
	*buffer = slices.Grow((*buffer)[:0], length)[:length]
	return buffer
}

// Put takes a buffer back.
func (p *pool) Put(buffer *[]byte) {
	if cap(*buffer) <= maxBuffer {
		p.Pool.Put(buffer)
	}
}

// EncodeCall makes the message for one call, as FromRequest does.
func EncodeCall(number uint64, r *sdk.Request, generation uint64, deadline time.Time) Encoded {
	buffer := buffers.Get(0)
	to := slices.Grow(*buffer, len(r.Body))
	to = appendNumber(to, 1, number)
	to = appendText(to, 2, r.ID)
	to = appendText(to, 3, r.Integration)
	to = appendNumber(to, 4, generation)
	to = appendText(to, 5, r.Method)
	to = appendBytes(to, 6, r.Path)
	to = appendText(to, 7, r.Query.Encode())
	for name, values := range r.Header {
		for _, value := range values {
			var at int
			to, at = begin(to, 8)
			to = appendBytes(appendText(to, 1, name), 2, value)
			to = end(to, at)
		}
	}
	to = appendBytes(to, 9, r.Body)
	if r.Source.IsValid() {
		to = appendText(to, 10, r.Source.String())
	}
	to = appendNumber(to, 11, uint64(nanos(r.ReceivedAt)))
	to = appendNumber(to, 12, uint64(nanos(deadline)))
	to = appendNumber(to, 13, uint64(uint32(max(r.Attempt, 0))))
	*buffer = to
	return Encoded{buffer}
}

// readCall reads the message for one call. The message may change afterwards.
func readCall(message []byte) (Call, error) {
	var c Call
	var query, source string
	r := &c.Request
	r.Header = http.Header{}
	f := fields[[]byte]{rest: message}
	for f.next() {
		switch f.tag {
		case 1<<3 | varint:
			c.Number = f.n
		case 2<<3 | length:
			r.ID = f.string()
		case 3<<3 | length:
			r.Integration = f.string()
		case 5<<3 | length:
			r.Method = f.string()
		case 6<<3 | length:
			r.Path = string(f.value)
		case 7<<3 | length:
			query = f.string()
		case 8<<3 | length:
			f.within(readHeader(f.message(), r.Header))
		case 9<<3 | length:
			r.Body = bytes.Clone(f.value)
		case 10<<3 | length:
			source = f.string()
		case 11<<3 | varint:
			r.ReceivedAt = fromNanos(int64(f.n))
		case 12<<3 | varint:
			c.Deadline = fromNanos(int64(f.n))
		case 13<<3 | varint:
			r.Attempt = int(uint32(f.n))
		}
	}
	if f.err != nil {
		return Call{}, f.err
	}
	c.Err = parse(r, query, source)
	return c, nil
}

func readHeader(f fields[[]byte], to http.Header) fields[[]byte] {
	var name, value string
	for f.next() {
		switch f.tag {
		case 1<<3 | length:
			name = f.string()
		case 2<<3 | length:
			value = string(f.value)
		}
	}
	name = http.CanonicalHeaderKey(name)
	to[name] = append(to[name], value)
	return f
}

// parse takes apart what travels as a text.
func parse(r *sdk.Request, query, source string) (err error) {
	if r.Query, err = url.ParseQuery(query); err != nil {
		return fmt.Errorf("read query: %w", err)
	}
	if source != "" {
		if r.Source, err = netip.ParseAddr(source); err != nil {
			return fmt.Errorf("read source: %w", err)
		}
	}
	return nil
}

// EncodeAnswer makes the message for an answer, as FromResult and FromFailure
// do.
func EncodeAnswer(a Answer) Encoded {
	buffer := buffers.Get(0)
	to := appendNumber(*buffer, 1, a.Call)
	to = appendText(to, 2, a.ID)
	var at int
	switch {
	case a.Failure != nil:
		to, at = begin(to, 4)
		to = appendNumber(to, 1, uint64(fromCode(a.Failure.Code)))
		to = appendText(to, 2, a.Failure.Path)
		to = appendText(to, 3, a.Failure.Message)
		to = appendFlag(to, 4, a.Oversize)
		to = end(to, at)
	case a.Result != nil:
		to, at = begin(to, 3)
		to = appendResult(to, a.Result)
		to = end(to, at)
	}
	*buffer = to
	return Encoded{buffer}
}

func appendResult(to []byte, r *sdk.Result) []byte {
	var at int
	for _, rejected := range r.Rejected {
		to = appendRejection(to, rejected)
	}
	for i := range r.Events {
		event, err := appendEvent(to, &r.Events[i])
		if err != nil {
			event = appendRejection(to, sdk.Rejection{Index: i, Reason: err.Error()})
		}
		to = event
	}
	to = appendText(to, 3, r.Ignored)
	if r.Reply != nil {
		to, at = begin(to, 4)
		to = appendNumber(to, 1, uint64(clampInt32(r.Reply.Status)))
		to = appendText(to, 2, r.Reply.ContentType)
		to = appendBytes(to, 3, r.Reply.Body)
		to = end(to, at)
	}
	if r.Confirm != nil {
		to = appendText(to, 5, r.Confirm.URL)
	}
	to = appendTexts(to, 6, r.Notes)
	return appendTexts(to, 7, r.PathsRead)
}

func appendRejection(to []byte, r sdk.Rejection) []byte {
	to, at := begin(to, 2)
	to = appendNumber(to, 1, uint64(r.Index))
	to = appendText(to, 2, r.Path)
	to = appendText(to, 3, r.Reason)
	return end(to, at)
}

func appendEvent(to []byte, e *sdk.Event) (_ []byte, err error) {
	to, at := begin(to, 1)
	to = appendNumber(to, 1, uint64(fromAction(e.Action)))
	to = appendText(to, 2, e.DedupKey)
	to = appendText(to, 3, e.SeriesKey)
	to = appendText(to, 4, e.Title)
	to = appendText(to, 5, e.Description)
	to = appendNumber(to, 6, uint64(fromSeverity(e.Severity)))
	to = appendText(to, 7, e.SeverityRaw)
	to = appendText(to, 8, e.Service)
	to = appendTexts(to, 9, e.AffectedServices)
	if e.CustomerImpact != nil { // also if it is false
		to = append(to, 10<<3|byte(varint), boolByte(*e.CustomerImpact))
	}
	to = appendText(to, 11, e.SourceURL)
	to = appendNumber(to, 12, uint64(nanos(e.OccurredAt)))
	to = appendNumber(to, 13, uint64(nanos(e.EndedAt)))
	to = appendFlag(to, 14, e.Test)
	var inner int
	if len(e.Labels) > 0 {
		to, inner = begin(to, 15)
		if to, err = appendLabels(to, e.Labels); err != nil {
			return nil, fmt.Errorf("encode labels: %w", err)
		}
		to = end(to, inner)
	}
	if len(e.Metadata) > 0 {
		to, inner = begin(to, 16)
		if to, err = appendMetadata(to, e.Metadata); err != nil {
			return nil, fmt.Errorf("encode metadata: %w", err)
		}
		to = end(to, inner)
	}
	for _, link := range e.Links {
		to, inner = begin(to, 17)
		to = appendText(appendText(to, 1, link.Name), 2, link.URL)
		to = end(to, inner)
	}
	to = appendText(to, 18, e.IdentityRule)
	return end(to, at), nil
}

// Len is how many bytes the answer has.
func (m Message) Len() int { return len(m.text) }

// ID is that of the request that the answer names.
func (m Message) ID() (id string) {
	f := fields[string]{rest: m.text}
	for f.next() {
		if f.tag == 2<<3|length {
			id = f.value
		}
	}
	return id
}

// Read takes an answer apart. Strings are parts of the message.
func (m Message) Read() (Answer, error) {
	a := Answer{Call: m.Call}
	f := fields[string]{rest: m.text}
	var r *resultReader
	var failure *sdk.Failure
	for f.next() {
		switch f.tag {
		case 2<<3 | length:
			a.ID = f.string()
		case 3<<3 | length: // a repeat adds to it, what was the other one goes
			if r == nil {
				r = new(resultReader)
			}
			failure, a.Oversize = nil, false
			f.within(r.read(f.message()))
		case 4<<3 | length:
			if failure == nil {
				failure = &sdk.Failure{Code: sdk.Internal}
			}
			r = nil
			f.within(readFailure(f.message(), failure, &a.Oversize))
		}
	}
	if f.err != nil {
		return Answer{}, f.err
	}
	a.Failure, a.Size = failure, len(m.text)
	if r != nil {
		a.Result = r.end()
	}
	return a, nil
}

func readFailure(f fields[string], to *sdk.Failure, oversize *bool) fields[string] {
	for f.next() {
		switch f.tag {
		case 1<<3 | varint:
			to.Code = toCode(adapterv1.FailureCode(int32(f.n)))
		case 2<<3 | length:
			to.Path = f.string()
		case 3<<3 | length:
			to.Message = f.string()
		case 4<<3 | varint:
			*oversize = f.n != 0
		}
	}
	return f
}

// resultReader reads a result, which may come in parts. An event whose labels
// or metadata aren't JSON objects becomes a rejection. Nothing else is judged.
type resultReader struct {
	result sdk.Result
	events int // that were read
	broken []sdk.Rejection
}

func (r *resultReader) end() *sdk.Result {
	r.result.Rejected = append(r.result.Rejected, r.broken...)
	return &r.result
}

func (r *resultReader) read(f fields[string]) fields[string] {
	r.result.Events = slices.Grow(r.result.Events, eventsIn(f))
	for f.next() {
		switch f.tag {
		case 1<<3 | length:
			f.within(r.readEvent(f.message()))
		case 2<<3 | length:
			var rejected sdk.Rejection
			f.within(readRejection(f.message(), &rejected))
			r.result.Rejected = append(r.result.Rejected, rejected)
		case 3<<3 | length:
			r.result.Ignored = f.string()
		case 4<<3 | length:
			if r.result.Reply == nil {
				r.result.Reply = new(sdk.Reply)
			}
			f.within(readReply(f.message(), r.result.Reply))
		case 5<<3 | length:
			if r.result.Confirm = nil; f.value != "" {
				r.result.Confirm = &sdk.Confirm{URL: f.string()}
			}
		case 6<<3 | length:
			r.result.Notes = append(r.result.Notes, f.string())
		case 7<<3 | length:
			r.result.PathsRead = append(r.result.PathsRead, f.string())
		}
	}
	return f
}

// eventsIn counts the events of a result.
func eventsIn(f fields[string]) (n int) {
	for f.next() {
		if f.tag == 1<<3|length {
			n++
		}
	}
	return n
}

func readRejection(f fields[string], to *sdk.Rejection) fields[string] {
	for f.next() {
		switch f.tag {
		case 1<<3 | varint:
			to.Index = int(f.n)
		case 2<<3 | length:
			to.Path = f.string()
		case 3<<3 | length:
			to.Reason = f.string()
		}
	}
	return f
}

func readReply(f fields[string], to *sdk.Reply) fields[string] {
	for f.next() {
		switch f.tag {
		case 1<<3 | varint:
			to.Status = int(int32(f.n))
		case 2<<3 | length:
			to.ContentType = f.string()
		case 3<<3 | length:
			to.Body = []byte(f.value)
		}
	}
	return f
}

func (r *resultReader) readEvent(f fields[string]) fields[string] {
	r.result.Events = append(r.result.Events, sdk.Event{})
	e := &r.result.Events[len(r.result.Events)-1]
	var labels, metadata string
	for f.next() {
		switch f.tag {
		case 1<<3 | varint:
			e.Action = toAction(adapterv1.Action(int32(f.n)))
		case 2<<3 | length:
			e.DedupKey = f.string()
		case 3<<3 | length:
			e.SeriesKey = f.string()
		case 4<<3 | length:
			e.Title = f.string()
		case 5<<3 | length:
			e.Description = f.string()
		case 6<<3 | varint:
			e.Severity = toSeverity(adapterv1.Severity(int32(f.n)))
		case 7<<3 | length:
			e.SeverityRaw = f.string()
		case 8<<3 | length:
			e.Service = f.string()
		case 9<<3 | length:
			e.AffectedServices = append(e.AffectedServices, f.string())
		case 10<<3 | varint:
			impact := f.n != 0
			e.CustomerImpact = &impact
		case 11<<3 | length:
			e.SourceURL = f.string()
		case 12<<3 | varint:
			e.OccurredAt = fromNanos(int64(f.n))
		case 13<<3 | varint:
			e.EndedAt = fromNanos(int64(f.n))
		case 14<<3 | varint:
			e.Test = f.n != 0
		case 15<<3 | length:
			labels = f.value
		case 16<<3 | length:
			metadata = f.value
		case 17<<3 | length:
			var link sdk.Link
			f.within(readLink(f.message(), &link))
			e.Links = append(e.Links, link)
		case 18<<3 | length:
			e.IdentityRule = f.string()
		}
	}
	if err := readMaps(e, labels, metadata); err != nil {
		r.broken = append(r.broken, sdk.Rejection{Index: r.events, Reason: err.Error()})
		r.result.Events = r.result.Events[:len(r.result.Events)-1]
	}
	r.events++
	return f
}

// readMaps reads what travels as JSON.
func readMaps(e *sdk.Event, labels, metadata string) (err error) {
	if e.Labels, err = readLabels(labels); err != nil {
		return fmt.Errorf("read labels: %w", err)
	}
	if e.Metadata, err = readMetadata(metadata); err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	return nil
}

func readLink(f fields[string], to *sdk.Link) fields[string] {
	for f.next() {
		switch f.tag {
		case 1<<3 | length:
			to.Name = f.string()
		case 2<<3 | length:
			to.URL = f.string()
		}
	}
	return f
}
