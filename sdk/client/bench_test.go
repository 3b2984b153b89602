//go:build unix

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire"
)

// alerts adapts a body as large and as nested as those of everyday.
type alerts struct{}

func (alerts) Describe() sdk.Info { return sdk.Info{Type: "alerts", Name: "Alerts", Version: "1.0.0"} }

func (alerts) Adapt(_ context.Context, r sdk.Request) (sdk.Result, error) {
	var p struct {
		Slow   bool
		Alerts []struct {
			Status, Fingerprint string
			Labels, Annotations map[string]string
			StartsAt            time.Time
			GeneratorURL        string
		}
	}
	if err := json.Unmarshal(r.Body, &p); err != nil {
		return sdk.Result{}, err
	}
	if p.Slow {
		time.Sleep(20 * time.Millisecond)
	}
	var result sdk.Result
	for _, a := range p.Alerts {
		event := sdk.Event{
			Action: sdk.Trigger, DedupKey: a.Fingerprint, Title: a.Labels["alertname"], Description: a.Annotations["description"],
			SeverityRaw: a.Labels["severity"], OccurredAt: a.StartsAt, SourceURL: a.GeneratorURL, Labels: a.Labels,
			Metadata: map[string]any{"annotations": a.Annotations},
		}
		if a.Status == "resolved" {
			event.Action = sdk.Resolve
		}
		result.Events = append(result.Events, event)
	}
	return result, nil
}

// alertsBody has two alerts in about 1,500 bytes.
func alertsBody(slow bool) []byte {
	alert := func(status string) string {
		return fmt.Sprintf(`{"status":%q,"fingerprint":"c0ffee%s","startsAt":"2026-11-24T10:00:00Z","endsAt":"0001-01-01T00:00:00Z",`+
			`"generatorURL":"https://prometheus.example/graph?g0.expr=up+%%3D%%3D+0","labels":{"alertname":"TargetDown","severity":"critical",`+
			`"cluster":"eu-1","namespace":"shop","job":"checkout","instance":"10.1.2.3:9090","team":"payments"},"annotations":`+
			`{"summary":"checkout is down","description":%q,"runbook_url":"https://wiki.example/runbooks/target-down"}}`,
			status, status, strings.Repeat("none of the last scrapes of this target had an answer; ", 3))
	}
	return fmt.Appendf(nil, `{"version":"4","status":"firing","receiver":"gateway","slow":%t,"alerts":[%s,%s]}`, slow, alert("firing"), alert("resolved"))
}

// callers is how many calls are under way at a time.
const callers = 64

// BenchmarkAdapt puts the ways to an adapter side by side: req/s with 64
// callers, how long they wait, and the processor time of a request in the gateway and in the
// plugin. One in a hundred slow ones takes 20 ms.
func BenchmarkAdapt(b *testing.B) {
	c := start(b, nil)
	unary := func(ctx context.Context, r sdk.Request) (sdk.Result, error) {
		deadline, _ := ctx.Deadline()
		answer, giveBack, err := c.read(ctx, c.unary(ctx, wire.FromRequest(r, 0, deadline)), len(r.Body))
		if err != nil {
			return sdk.Result{}, err
		}
		defer giveBack()
		return resultOf(r.ID, answer)
	}
	ways := []struct {
		name  string
		adapt func(context.Context, sdk.Request) (sdk.Result, error)
	}{
		{"in process", alerts{}.Adapt},
		{"unary", unary},
		{"exchange", c.Adapt},
	}
	for _, slow := range []string{"", ", 1 in 100 slow"} {
		for _, way := range ways {
			b.Run(way.name+slow, func(b *testing.B) { measure(b, c, slow != "", way.adapt) })
		}
	}
}

func measure(b *testing.B, c *Client, slow bool, adapt func(context.Context, sdk.Request) (sdk.Result, error)) {
	quickBody, slowBody := alertsBody(false), alertsBody(true)
	var count atomic.Int64
	var mu sync.Mutex
	var all []time.Duration
	b.SetParallelism(callers / runtime.GOMAXPROCS(0))
	own, plugin := processorTime(b, "self"), processorTime(b, strconv.Itoa(c.PID()))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var took []time.Duration
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		}()
		for pb.Next() {
			began := time.Now()
			r := sdk.Request{ID: "r", Method: "POST", Path: "alerts", Body: quickBody}
			if slow && count.Add(1)%100 == 0 {
				r.Body = slowBody
			}
			ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
			result, err := adapt(ctx, r)
			cancel()
			if err != nil || len(result.Events) != 2 {
				b.Errorf("%d events, %v; want 2", len(result.Events), err)
				return
			}
			took = append(took, time.Since(began))
		}
	})
	b.StopTimer()
	n := float64(b.N)
	b.ReportMetric(n/b.Elapsed().Seconds(), "req/s")
	slices.Sort(all)
	for name, percent := range map[string]int{"p50-ms": 50, "p99-ms": 99} {
		b.ReportMetric(all[len(all)*percent/100].Seconds()*1000, name)
	}
	b.ReportMetric(float64((processorTime(b, "self")-own).Microseconds())/n, "gateway-µs/op")
	b.ReportMetric(float64((processorTime(b, strconv.Itoa(c.PID()))-plugin).Microseconds())/n, "plugin-µs/op")
	b.ReportMetric(0, "ns/op")
}

// processorTime is the time that a process has used so far, in steps of 10 ms.
func processorTime(b *testing.B, pid string) time.Duration {
	b.Helper()
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
