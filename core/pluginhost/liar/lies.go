package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
)

// handle answers every call of the contract. A message is its bytes: what the
// library keeps of an empty message are the fields that it doesn't know.
func handle(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	for {
		var in emptypb.Empty
		err := stream.RecvMsg(&in)
		if errors.Is(err, io.EOF) {
			return nil // the end of the stream
		}
		if err != nil {
			return err
		}
		var answers [][]byte
		switch message := in.ProtoReflect().GetUnknown(); {
		case strings.HasSuffix(method, "/Describe"):
			answers = [][]byte{text(text(nil, 1, description), 2, "exchange")}
		case strings.HasSuffix(method, "/Exchange"):
			answers = lie(read(message))
		case strings.HasSuffix(method, "/Adapt"):
			answers = [][]byte{alone(read(message))}
		default: // Configure and Release
			answers = [][]byte{nil}
		}
		for _, answer := range answers {
			var out emptypb.Empty
			out.ProtoReflect().SetUnknown(answer)
			if err := stream.SendMsg(&out); err != nil {
				return err
			}
		}
		if !strings.HasSuffix(method, "/Exchange") {
			return nil
		}
	}
}

// huge is more than anybody may answer, in bytes.
const huge = 300 << 20

// bloat adds a huge field that nobody knows.
func bloat(message []byte) []byte {
	message = protowire.AppendVarint(protowire.AppendTag(message, 100, protowire.BytesType), huge)
	return append(message, make([]byte, huge)...)
}

// request is what an AdaptRequest says, and the order in its body.
type request struct {
	call           uint64
	id             string
	Do, Title, Key string
}

func read(message []byte) (r request) {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		message = message[n:]
		value := message[:protowire.ConsumeFieldValue(field, kind, message)]
		message = message[len(value):]
		switch field {
		case 1:
			r.call, _ = protowire.ConsumeVarint(value)
		case 2:
			r.id, _ = protowire.ConsumeString(value)
		case 9:
			body, _ := protowire.ConsumeBytes(value)
			_ = json.Unmarshal(body, &r) // what isn't an order asks for the truth
		}
	}
	return r
}

// lie answers a request as its body asks for.
func lie(r request) [][]byte {
	good := event(r)
	truth := answer(r.call, r.id, good)
	switch r.Do {
	case "unknown call":
		return [][]byte{answer(r.call+1_000_000, r.id, good), answer(0, "", good), truth}
	case "twice":
		return [][]byte{truth, truth, truth}
	case "foreign request":
		return [][]byte{answer(r.call, "another request", good)}
	case "no outcome":
		return [][]byte{text(number(nil, 1, r.call), 2, r.id)}
	case "no protobuf":
		return [][]byte{[]byte("\xff\xff\xff\xff and so on")}
	case "bad text":
		return [][]byte{answer(r.call, "\xff\xfe", good)}
	case "huge stream":
		return [][]byte{bloat(truth)}
	case "empty events":
		return [][]byte{text(text(number(nil, 1, r.call), 2, r.id), 3, string(bytes.Repeat(text(nil, 1, ""), much/2)))}
	case "empty notes":
		return [][]byte{text(text(number(nil, 1, r.call), 2, r.id), 3, string(bytes.Repeat(text(nil, 6, ""), much/2)))}
	case "unary empty links", "unary small objects", "huge call": // a failure that asks for Adapt
		return [][]byte{text(text(number(nil, 1, r.call), 2, r.id), 4, string(number(number(nil, 1, 3), 4, 1)))}
	case "unheard of":
		return [][]byte{answer(r.call, r.id, good, number(good, 1, 77), text(good, 16, `{"n":NaN}`), text(good, 15, `[1]`))}
	case "nothing":
		return nil
	}
	if part := amplified(r.Do); part != nil {
		return [][]byte{answer(r.call, r.id, slices.Concat(good, part), part)}
	}
	return [][]byte{truth}
}

// alone answers a request that goes by a call of its own: with a huge answer,
// or one that would be huge.
func alone(r request) []byte {
	if part := amplified(strings.TrimPrefix(r.Do, "unary ")); part != nil {
		return answer(r.call, r.id, part)
	}
	return bloat(nil)
}

// much is how many bytes an answer may have on the stream, about.
const much = 3_500_000

// amplified is a part of an event, or events in place of one, that take a
// hundred times as much memory once they are read.
func amplified(what string) []byte {
	switch what {
	case "empty links":
		return bytes.Repeat(text(nil, 17, ""), much/3/2)
	case "empty services":
		return bytes.Repeat(text(nil, 9, ""), much/2/2)
	case "many labels":
		return text(nil, 15, "{"+strings.Repeat(`"":"",`, much/6/2)+`"a":"b"}`)
	case "small objects":
		return text(nil, 16, `{"a":[`+strings.Repeat(`{"":1},`, much/7/2)+`0]}`)
	}
	return nil
}

// answer is an AdaptResponse with a result of these events.
func answer(call uint64, id string, events ...[]byte) []byte {
	var result []byte
	for _, e := range events {
		result = text(result, 1, string(e))
	}
	return text(text(number(nil, 1, call), 2, id), 3, string(result))
}

// event is a trigger whose severity is none that there is. What is appended to
// it leaves it as it is.
func event(r request) []byte {
	return slices.Clip(number(text(text(number(nil, 1, 1), 2, r.Key), 4, r.Title), 6, 99))
}

func number(to []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(to, field, protowire.VarintType), v)
}

func text(to []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(to, field, protowire.BytesType), s)
}
