package wire

import (
	"encoding/json"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire/adapterv1"
)

// carry sends a message through its bytes, as the socket does.
func carry[M proto.Message](t rapid.TB, in, out M) M {
	t.Helper()
	blob, err := proto.Marshal(in)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	if err := proto.Unmarshal(blob, out); err != nil {
		t.Fatalf("decode: %v", err)
	}
	return out
}

func times() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		n := rapid.Int64Range(math.MinInt64/2, math.MaxInt64/2).Draw(t, "nanos")
		if n == 0 {
			return time.Time{}
		}
		return time.Unix(0, n).UTC()
	})
}

// someStrings gives nil rather than an empty list, as decoding does.
func someStrings(t *rapid.T, name string) []string {
	list := rapid.SliceOf(rapid.String()).Draw(t, name)
	if len(list) == 0 {
		return nil
	}
	return list
}

func events() *rapid.Generator[sdk.Event] {
	return rapid.Custom(func(t *rapid.T) sdk.Event {
		e := sdk.Event{
			Action:           rapid.SampledFrom([]sdk.Action{sdk.Trigger, sdk.Acknowledge, sdk.Resolve}).Draw(t, "action"),
			DedupKey:         rapid.String().Draw(t, "dedup"),
			SeriesKey:        rapid.String().Draw(t, "series"),
			Title:            rapid.String().Draw(t, "title"),
			Description:      rapid.String().Draw(t, "description"),
			Severity:         rapid.SampledFrom(append(sdk.Severities(), "")).Draw(t, "severity"),
			SeverityRaw:      rapid.String().Draw(t, "raw"),
			Service:          rapid.String().Draw(t, "service"),
			AffectedServices: someStrings(t, "affected"),
			CustomerImpact:   rapid.Ptr(rapid.Bool(), true).Draw(t, "impact"),
			SourceURL:        rapid.String().Draw(t, "url"),
			OccurredAt:       times().Draw(t, "occurred"),
			EndedAt:          times().Draw(t, "ended"),
			Test:             rapid.Bool().Draw(t, "test"),
			IdentityRule:     rapid.String().Draw(t, "rule"),
		}
		if labels := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "labels"); len(labels) > 0 {
			e.Labels = labels
		}
		if rapid.Bool().Draw(t, "has metadata") {
			e.Metadata = map[string]any{
				"n": json.Number("0.1000000000000000000000001"), "big": json.Number("12345678901234567890123"),
				"s": rapid.String().Draw(t, "meta"), "list": []any{nil, true}, "o": map[string]any{},
			}
		}
		for range rapid.IntRange(0, 3).Draw(t, "links") {
			e.Links = append(e.Links, sdk.Link{Name: rapid.String().Draw(t, "link"), URL: rapid.String().Draw(t, "href")})
		}
		return e
	})
}

func TestResultSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := sdk.Result{
			Ignored: rapid.String().Draw(t, "ignored"),
			Notes:   someStrings(t, "notes"), PathsRead: someStrings(t, "paths"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "events") {
			want.Events = append(want.Events, events().Draw(t, "event"))
		}
		for range rapid.IntRange(0, 2).Draw(t, "rejections") {
			want.Rejected = append(want.Rejected, sdk.Rejection{
				Index: rapid.Int().Draw(t, "index"), Path: rapid.String().Draw(t, "path"), Reason: rapid.String().Draw(t, "reason"),
			})
		}
		if rapid.Bool().Draw(t, "has reply") {
			want.Reply = &sdk.Reply{Status: int(rapid.Int32().Draw(t, "status")), ContentType: "text/plain", Body: []byte{0, 255, 'x'}}
		}
		if rapid.Bool().Draw(t, "has confirm") {
			want.Confirm = &sdk.Confirm{URL: "https://sns.eu-west-1.amazonaws.com/?Token=x"}
		}
		got := ToResult(carry(t, FromResult(want), new(adapterv1.Result)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("result changed (-want +got):\n%s", diff)
		}
	})
}

func TestRequestSurvivesTheWire(t *testing.T) {
	bytesAsString := rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) })
	rapid.Check(t, func(t *rapid.T) {
		want := sdk.Request{
			ID: rapid.String().Draw(t, "id"), Method: "POST", Path: bytesAsString.Draw(t, "path"),
			Query: url.Values{bytesAsString.Draw(t, "key"): {bytesAsString.Draw(t, "value"), ""}},
			Header: http.Header{
				"X-Signature": {bytesAsString.Draw(t, "header"), "second"},
			},
			Body:        rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "body"),
			Source:      netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address"))),
			ReceivedAt:  times().Draw(t, "received"),
			Integration: "custom/test", Attempt: rapid.IntRange(0, math.MaxInt32).Draw(t, "attempt"),
		}
		got, err := ToRequest(carry(t, FromRequest(want, 7, time.Time{}), new(adapterv1.AdaptRequest)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Fatalf("request changed (-want +got):\n%s", diff)
		}
	})
}

func TestFailureSurvivesTheWire(t *testing.T) {
	for _, code := range []sdk.FailureCode{sdk.Malformed, sdk.Unsupported, sdk.TooLarge, sdk.Busy, sdk.Internal} {
		want := &sdk.Failure{Code: code, Path: "alerts[3]", Message: "no"}
		if got := ToFailure(carry(t, FromFailure(want), new(adapterv1.Failure))); *got != *want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if got := ToFailure(&adapterv1.Failure{Code: 99}); got.Code != sdk.Internal {
		t.Errorf("unknown code is %s, want %s", got.Code, sdk.Internal)
	}
}

func TestWhatCannotBeCarriedIsMendedOrRejected(t *testing.T) {
	r := sdk.Result{
		Notes: []string{"ok", "bad\xff"},
		Events: []sdk.Event{
			{Action: sdk.Trigger, Title: "bad\xff\xfe text", OccurredAt: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
			{Action: sdk.Trigger, Title: "not a number", Metadata: map[string]any{"n": math.NaN()}},
			{Action: "update", Severity: "Terrible", Title: "unknown words"},
		},
	}
	got := ToResult(carry(t, FromResult(r), new(adapterv1.Result)))
	if len(got.Events) != 2 || got.Events[0].Title != "bad\uFFFD text" || !got.Events[0].OccurredAt.IsZero() {
		t.Errorf("events = %+v, want the mended first one and the third", got.Events)
	}
	if got.Events[1].Action != "" || got.Events[1].Severity != "" {
		t.Errorf("unknown words arrive as %q and %q, want empty", got.Events[1].Action, got.Events[1].Severity)
	}
	if len(got.Rejected) != 1 || got.Rejected[0].Index != 1 {
		t.Errorf("rejected = %+v, want the second event", got.Rejected)
	}
	if got.Notes[1] != "bad\uFFFD" {
		t.Errorf("note = %q, want it mended", got.Notes[1])
	}
}

func TestJSONThatIsNoObjectRejectsOnlyItsEvent(t *testing.T) {
	for _, blob := range []string{"[]", "{", `{}{}`, `"x"`, `{"a":1}`} {
		m := &adapterv1.Result{Events: []*adapterv1.Event{{LabelsJson: []byte(blob)}, {Title: "fine"}}}
		got := ToResult(m)
		if len(got.Events) != 1 || got.Events[0].Title != "fine" || len(got.Rejected) != 1 {
			t.Errorf("labels %s: got %+v, want one event and one rejection", blob, got)
		}
	}
}

// FuzzMessages reads arbitrary bytes as each message: no panic, and what was
// read can be written again.
func FuzzMessages(f *testing.F) {
	seed := &adapterv1.AdaptResponse{Call: 1, Outcome: &adapterv1.AdaptResponse_Result{Result: FromResult(sdk.Result{
		Events: []sdk.Event{{Action: sdk.Trigger, Title: "t", Labels: map[string]string{"a": "b"}, Metadata: map[string]any{"n": 1}}},
	})}}
	blob, err := proto.Marshal(seed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, blob []byte) {
		var response adapterv1.AdaptResponse
		if proto.Unmarshal(blob, &response) == nil {
			FromResult(ToResult(response.GetResult()))
			FromFailure(ToFailure(response.GetFailure()))
		}
		var request adapterv1.AdaptRequest
		if proto.Unmarshal(blob, &request) == nil {
			if r, err := ToRequest(&request); err == nil {
				FromRequest(r, 0, time.Time{})
			}
		}
	})
}
