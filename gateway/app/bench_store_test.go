package app

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bellcrank.example/core"
	"bellcrank.example/core/dispatch"
	"bellcrank.example/sdk"
)

// startStore is a store that is asked for what the gateway asks for a
// notification: the request, two new incidents and what is owed of them. The
// receiver is disabled, so that nothing is sent.
func startStore(b *testing.B) target {
	d := &core.Destination{Tenant: core.DefaultTenant, Type: "webhook", Name: "sink", Retry: core.DefaultRetry()}
	o := newOutbound(b, b.TempDir(), dispatch.Config{Destinations: []*core.Destination{d}})
	if err := o.dispatcher.Disable(b.Context(), d.ID()); err != nil {
		b.Fatal(err)
	}
	in := integration("alertmanager", sdk.Machine)
	send := func() (bool, error) {
		r := &core.Request{
			ID: o.store.NewID(), Tenant: core.DefaultTenant, Integration: in.ID(), ReceivedAt: Now(), Method: http.MethodPost,
			Header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"fasthttp"}},
			Body:   notification(), State: core.RequestDone, Adapter: "1.0.0",
		}
		events := []sdk.Event{alertEvent(r.ID, 1), alertEvent(r.ID, 2)}
		_, err := o.store.Commit(b.Context(), &core.Submission{Insert: true, Change: core.Change{
			Request: r, ReopenWindow: core.DefaultReopenWindow, Last: true, Events: core.PrepareEvents(in, r.ID, false, events),
		}})
		return false, err
	}
	return target{sender: func() func() (bool, error) { return send }, stop: o.stop}
}

// alertEvent is about what the adapter makes of one alert of a notification.
func alertEvent(request core.ID, n int) sdk.Event {
	return sdk.Event{
		Action: sdk.Trigger, DedupKey: fmt.Sprintf("%s-%d", request, n), Title: "Latency is high", Severity: sdk.Critical, SeverityRaw: "critical",
		Description: "The 95th percentile of request latency on this instance has been above 5 seconds for 10 minutes.",
		Service:     "checkout", SourceURL: "http://prometheus.example:9090/graph?g0.expr=histogram_quantile&g0.tab=1",
		Labels: map[string]string{
			"alertname": "HighLatency", "cluster": "eu-1", "instance": fmt.Sprintf("web-%s-%d:9100", request, n), "job": "node",
			"severity": "critical", "service": "checkout",
		},
		Metadata: map[string]any{"receiver": "bellcrank", "annotations": map[string]any{"summary": "Latency is high"}},
		Links:    []sdk.Link{{Name: "Runbook", URL: "https://runbooks.example/latency"}},
	}
}

// cpuTime returns what this process, and another one with its children, have
// used so far.
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano()+u.Stime.Nano()) + familyTime(pid)
}

// familyTime is what /proc says of a process and its children, in steps of 10
// ms. A thread that has ended still counts.
func familyTime(pid int) time.Duration {
	if pid == 0 {
		return 0
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // nothing of one that has ended
	var used time.Duration
	if _, rest, ok := strings.Cut(string(stat), ") "); ok {
		for _, ticks := range strings.Fields(rest)[11:13] {
			n, _ := strconv.Atoi(ticks) // the kernel writes numbers
			used += time.Duration(n) * 10 * time.Millisecond
		}
	}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is a good one
	for _, list := range lists {
		children, _ := os.ReadFile(list) // the thread may have ended
		for _, child := range strings.Fields(string(children)) {
			n, _ := strconv.Atoi(child)
			used += familyTime(n)
		}
	}
	return used
}
