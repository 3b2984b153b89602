package wire

import (
	"bytes"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire/adapterv1"
)

// sent is what gets onto the wire.
func sent(t testing.TB, e Encoded) []byte {
	t.Helper()
	parts, err := Codec().Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	defer parts.Free()
	return parts.Materialize()
}

// received reads a message as a stream does.
func received[M any](blob []byte) (m M, err error) {
	half := len(blob) / 2 // it may come in pieces
	err = Codec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(blob[:half]), mem.SliceBuffer(blob[half:])}, &m)
	return m, err
}

func readAnswer(blob []byte) (Answer, error) {
	m, err := received[Message](blob)
	if err != nil {
		return Answer{}, err
	}
	return m.Read()
}

var alike = cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})}

// compareAnswer holds what is read to what the library reads.
func compareAnswer(t testing.TB, blob []byte) {
	t.Helper()
	var m adapterv1.AdaptResponse
	wantErr := proto.Unmarshal(blob, &m)
	got, err := readAnswer(blob)
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("%x: error %v, want %v", blob, err, wantErr)
	}
	if err != nil {
		return
	}
	got.Size = 0 // of these bytes
	if diff := cmp.Diff(ToAnswer(&m), got, alike); diff != "" {
		t.Errorf("%x (-want +got):\n%s", blob, diff)
	}
}

func compareCall(t testing.TB, blob []byte) {
	t.Helper()
	var m adapterv1.AdaptRequest
	wantErr := proto.Unmarshal(blob, &m)
	got, err := received[Call](blob)
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("%x: error %v, want %v", blob, err, wantErr)
	}
	if err != nil {
		return
	}
	want := ToCall(&m)
	if (got.Err != nil) != (want.Err != nil) || got.Err != nil && got.Err.Error() != want.Err.Error() {
		t.Errorf("%x: error %v, want %v", blob, got.Err, want.Err)
	}
	if got.Err != nil { // only what an answer needs
		want.Request, got.Request = sdk.Request{ID: want.Request.ID}, sdk.Request{ID: got.Request.ID}
	}
	want.Err, got.Err = nil, nil
	if diff := cmp.Diff(*want, got, alike); diff != "" {
		t.Errorf("%x (-want +got):\n%s", blob, diff)
	}
}

// oddities are fields as other libraries, later contracts and liars write them.
func oddities() map[string][]byte {
	tag := protowire.AppendTag
	nested := func(number protowire.Number, value string) []byte {
		return protowire.AppendString(tag(nil, number, protowire.BytesType), value)
	}
	long := bytes.Repeat([]byte{0x80}, 9)
	deep := append(bytes.Repeat(tag(nil, 60, protowire.StartGroupType), 20_000), bytes.Repeat(tag(nil, 60, protowire.EndGroupType), 20_000)...)
	all := map[string][]byte{
		"unknown fields":            slices.Concat(nested(99, "x"), protowire.AppendVarint(tag(nil, 98, protowire.VarintType), 7), protowire.AppendFixed32(tag(nil, 97, protowire.Fixed32Type), 1), protowire.AppendFixed64(tag(nil, 96, protowire.Fixed64Type), 1)),
		"a group":                   slices.Concat(tag(nil, 60, protowire.StartGroupType), nested(1, "x"), tag(nil, 61, protowire.StartGroupType), tag(nil, 61, protowire.EndGroupType), tag(nil, 60, protowire.EndGroupType)),
		"a group in a known number": slices.Concat(tag(nil, 2, protowire.StartGroupType), tag(nil, 2, protowire.EndGroupType)),
		"a group with another end":  slices.Concat(tag(nil, 60, protowire.StartGroupType), tag(nil, 61, protowire.EndGroupType)),
		"a group without end":       tag(nil, 60, protowire.StartGroupType),
		"an end without group":      tag(nil, 60, protowire.EndGroupType),
		"groups without end":        bytes.Repeat(tag(nil, 60, protowire.StartGroupType), 20_000),
		"groups too deep":           deep,
		"kinds 6 and 7":             {1<<3 | 6, 0},
		"number 0":                  {0, 0},
		"the largest number":        protowire.AppendVarint(tag(nil, protowire.MaxValidNumber, protowire.VarintType), 1),
		"a number too large":        append(protowire.AppendVarint(nil, uint64(protowire.MaxValidNumber+1)<<3), 0),
		"a tag of 64 bits":          append(protowire.AppendVarint(nil, 1<<63|1<<3), 0),
		"a long tag":                {0x88, 0x80, 0x00, 5},
		"a long number":             append(append([]byte{1 << 3}, long...), 0x01),
		"a number over 64 bits":     append(append([]byte{1 << 3}, long...), 0x02),
		"a number over ten bytes":   append(append([]byte{1 << 3}, long...), 0x80, 0x00),
		"a negative number":         protowire.AppendVarint([]byte{1 << 3}, 1<<64-1),
		"a huge length":             protowire.AppendVarint(tag(nil, 2, protowire.BytesType), 1<<63),
		"invalid UTF-8":             nested(2, "\xff"),
		"a string twice":            append(nested(2, "a"), nested(2, "b")...),
		"a result":                  nested(3, string(nested(3, "why"))),
		"an empty result":           nested(3, ""),
		"an empty failure":          nested(4, ""),
		"a failure of another kind": protowire.AppendVarint(tag(nil, 4, protowire.VarintType), 4),
		"a failure":                 nested(4, "\x08\x03\x1a\x01m\x20\x01"),
		"an unknown code":           nested(4, "\x08\x63"),
		"an action over 32 bits":    nested(3, string(nested(1, "\x08\x81\x80\x80\x80\x10"))),
		"a result of two":           slices.Concat(nested(3, string(nested(1, "\x22\x01a"))), nested(3, string(nested(1, "\x22\x01b")))),
		"a reply in two":            nested(3, "\x22\x02\x08\x05\x22\x03\x12\x01t"),
		"no URL at last":            nested(3, "\x2a\x01u\x2a\x00"),
		"an impact of none":         nested(3, string(nested(1, "\x50\x00"))),
		"labels that are no object": nested(3, string(nested(1, "\x7a\x02[]"))+string(nested(1, "\x22\x01b"))+string(nested(2, "\x08\x05"))),
		"packed numbers":            nested(1, "\x01\x02"),
		"a query that is none":      nested(7, "%zz"),
		"a source that is none":     nested(10, "here"),
		"headers":                   append(nested(8, "\x0a\x06x-some\x12\x01v"), nested(8, "\x0a\x06X-Some\x12\x01\xff")...),
	}
	mixed := slices.Sorted(maps.Keys(all))
	for _, a := range mixed {
		if strings.HasPrefix(a, "groups") {
			continue
		}
		for _, b := range mixed {
			if !strings.HasPrefix(b, "groups") {
				all[a+", "+b] = slices.Concat(all[a], all[b])
			}
		}
	}
	return all
}

func TestWhatIsReadIsWhatProtobufReads(t *testing.T) {
	for name, blob := range oddities() {
		t.Run(name, func(t *testing.T) {
			compareAnswer(t, blob)
			compareCall(t, blob)
		})
	}
	answer := sent(t, EncodeAnswer(Answer{Call: 300, ID: "i", Result: &sdk.Result{
		Events: []sdk.Event{{Action: sdk.Trigger, Title: "ä", Labels: map[string]string{"a": "b"}, Links: []sdk.Link{{Name: "n"}}}},
		Reply:  &sdk.Reply{Status: 204}, Notes: []string{"", "n"},
	}}))
	call := sent(t, EncodeCall(300, &sdk.Request{ID: "i", Header: http.Header{"A": {"b", ""}}, Body: []byte("b")}, 1, time.Unix(0, 5)))
	for cut := range answer {
		compareAnswer(t, answer[:cut])
	}
	for cut := range call {
		compareCall(t, call[:cut])
	}
}

// TestWhatIsWrittenIsWhatProtobufReads has the library read what is written.
func TestWhatIsWrittenIsWhatProtobufReads(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := Answer{Call: rapid.Uint64().Draw(rt, "call"), ID: rapid.String().Draw(rt, "id")}
		if rapid.Bool().Draw(rt, "fails") {
			code := rapid.SampledFrom([]sdk.FailureCode{sdk.Malformed, sdk.Unsupported, sdk.TooLarge, sdk.Busy, sdk.Internal}).Draw(rt, "code")
			want.Failure = &sdk.Failure{Code: code, Path: rapid.String().Draw(rt, "path"), Message: rapid.String().Draw(rt, "message")}
			want.Oversize = rapid.Bool().Draw(rt, "oversize")
		} else {
			want.Result = &sdk.Result{
				Ignored: rapid.String().Draw(rt, "ignored"), Notes: someStrings(rt, "notes"), PathsRead: someStrings(rt, "paths"),
				Events: rapid.SliceOfN(events(), 0, 3).Draw(rt, "events"),
			}
			if rapid.Bool().Draw(rt, "more") {
				want.Result.Reply = &sdk.Reply{Status: rapid.Int().Draw(rt, "status"), ContentType: "text/plain", Body: []byte{0, 255}}
				want.Result.Confirm = &sdk.Confirm{URL: "https://a.example"}
				want.Result.Rejected = []sdk.Rejection{{Index: rapid.Int().Draw(rt, "index"), Reason: "r\xff"}, {}}
			}
		}
		blob := sent(t, EncodeAnswer(want))
		var got adapterv1.AdaptResponse
		if err := proto.Unmarshal(blob, &got); err != nil {
			rt.Fatal(err)
		}
		if m := FromAnswer(want); !proto.Equal(m, &got) {
			rt.Fatalf("got %v, want %v", &got, m)
		}
		compareAnswer(t, blob)
	})
}

func TestACallIsWrittenAsProtobufReadsIt(t *testing.T) {
	for name, r := range map[string]sdk.Request{
		"nothing":      {},
		"a large body": {ID: "4194304", Body: bytes.Repeat([]byte("x"), MaxExchangeBody)},
		"everything": {
			ID: "1\xff", Method: http.MethodPost, Path: "a\xff", Query: map[string][]string{"q": {"ä", ""}}, Header: http.Header{"X-A": {"1", "\xff"}},
			Body: []byte("{}"), ReceivedAt: time.Unix(1, 2), Integration: "a/b", Attempt: 3,
		},
		"a negative attempt": {Attempt: -1},
	} {
		t.Run(name, func(t *testing.T) {
			deadline := time.Unix(7, 7)
			blob := sent(t, EncodeCall(9, &r, 8, deadline))
			var got adapterv1.AdaptRequest
			if err := proto.Unmarshal(blob, &got); err != nil {
				t.Fatal(err)
			}
			want := FromRequest(r, 8, deadline)
			want.Call = 9
			if !proto.Equal(want, &got) {
				t.Errorf("got %v, want %v", &got, want)
			}
			compareCall(t, blob)
		})
	}
}

func TestAnEventThatCannotBeWrittenCostsOnlyItself(t *testing.T) {
	result := sdk.Result{Events: []sdk.Event{
		{Action: sdk.Trigger, Title: "a"}, {Action: sdk.Trigger, Metadata: map[string]any{"f": func() {}}}, {Action: sdk.Trigger, Title: "c"},
	}}
	got, err := readAnswer(sent(t, EncodeAnswer(Answer{Result: &result})))
	if err != nil {
		t.Fatal(err)
	}
	if want := ToResult(FromResult(result)); !cmp.Equal(want, *got.Result, alike) || len(got.Result.Rejected) != 1 {
		t.Errorf("got %+v, want %+v", *got.Result, want)
	}
}

// TestABufferIsUsedAgainOnlyOnceItIsSent reads a message while others are
// written.
func TestABufferIsUsedAgainOnlyOnceItIsSent(t *testing.T) {
	first, err := Codec().Marshal(EncodeCall(1, &sdk.Request{ID: "first", Body: bytes.Repeat([]byte("1"), 3<<10)}, 0, time.Time{}))
	if err != nil {
		t.Fatal(err)
	}
	before := first.Materialize()
	for range 100 {
		sent(t, EncodeCall(2, &sdk.Request{ID: "other", Body: bytes.Repeat([]byte("2"), 3<<10)}, 0, time.Time{}))
	}
	if !bytes.Equal(first.Materialize(), before) {
		t.Error("a message has changed before it was sent")
	}
	first.Free()
}

// FuzzExchange holds the reader to the library's answers.
func FuzzExchange(f *testing.F) {
	for _, blob := range oddities() {
		if len(blob) < 1_000 {
			f.Add(blob)
		}
	}
	f.Fuzz(func(t *testing.T, blob []byte) {
		compareAnswer(t, blob)
		compareCall(t, blob)
	})
}
