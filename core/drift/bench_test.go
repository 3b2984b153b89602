package drift

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// BenchmarkObserve puts what a request pays for being observed beside what it
// pays to be decoded once. Off, nobody observes; with the pause of a second,
// nearly every request only finds that it isn't its turn; without a pause, each
// is looked at, which no gateway does.
func BenchmarkObserve(b *testing.B) {
	in, body := acme(), acmeBody()
	none := func(*core.Integration, []byte, sdk.Result) {}
	tracker := New(Config{Store: &memory{shapes: map[string]core.Shape{}}})
	tracker.load(b.Context())
	rows := []struct {
		name    string
		observe func(in *core.Integration, body []byte, result sdk.Result)
	}{
		{"off", none},
		{"on", tracker.Observe},
		{"on, no pause", func(in *core.Integration, body []byte, _ sdk.Result) {
			tracker.look(sample{integration: in, body: body})
		}},
		{"decoding", func(_ *core.Integration, body []byte, _ sdk.Result) {
			var value any
			if err := json.Unmarshal(body, &value); err != nil {
				b.Fatal(err)
			}
		}},
	}
	for _, row := range rows {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				row.observe(in, body, sdk.Result{})
			}
		})
	}
}

// acmeBody is as large as those of everyday.
func acmeBody() []byte {
	var parts []string
	for i := range 20 {
		parts = append(parts, fmt.Sprintf(`{"name":"part %d","state":"degraded","since":"2026-11-24T10:00:00Z"}`, i))
	}
	return fmt.Appendf(nil, `{"alert":{"id":"a-1","title":"checkout is slow","labels":{"team":"payments"}},"parts":[%s]}`, strings.Join(parts, ","))
}
