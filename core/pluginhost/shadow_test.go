//go:build unix

package pluginhost

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bellcrank.example/sdk"
)

// shadowed runs a plugin with a shadow whose environment has one variable more.
func shadowed(t *testing.T, name, value string) *Host {
	t.Helper()
	first := spec(t)
	h := run(t, first, func(c *Config) { c.Timing.Drain = time.Second }) // nobody waits for one that hangs
	second := first
	second.Version = "2.0.0"
	second.Env = map[string]string{"GORACE": "atexit_sleep_ms=0", name: value}
	if err := h.Shadow(t.Context(), "chaos", second); err != nil {
		t.Fatal(err)
	}
	return h
}

// report waits until the shadow's report is as it shall be.
func report(t *testing.T, h *Host, what string, is func(ShadowReport) bool) ShadowReport {
	t.Helper()
	var last ShadowReport
	eventually(t, what, func() bool {
		last, _ = h.ShadowReport("chaos")
		return is(last)
	})
	return last
}

func TestShadowTellsWhatItWouldChange(t *testing.T) {
	h := shadowed(t, "SAYS", "something else")
	for range 30 {
		got, err := call(t, h, "", "")
		if err != nil || got.Events[0].Title != "chaos" {
			t.Fatalf("the caller gets %+v, %v", got, err)
		}
	}
	r := report(t, h, "all are compared", func(r ShadowReport) bool { return r.Compared == 30 })
	if r.Version != "2.0.0" || r.Different != 30 || r.Dropped != 0 || len(r.Failed) != 0 || r.Fields["events[].title"] != 30 || len(r.Fields) != 1 {
		t.Errorf("report %+v", r)
	}
	want := Difference{Field: "events[0].title", Old: `"chaos"`, New: `"something else"`}
	if n := len(r.Samples); n != maxSamples || r.Samples[0].Differences[0] != want || r.Samples[0].Integration != "chaos/one" {
		t.Errorf("%d samples, the first %+v", n, r.Samples[0])
	}
	last, ok := h.Unshadow("chaos")
	if !ok || last.Compared != 30 {
		t.Errorf("the last report is %+v, %v", last, ok)
	}
	if _, still := h.ShadowReport("chaos"); still {
		t.Error("it goes on")
	}
	eventually(t, "its process ends", func() bool { return len(h.Plugins()) == 1 && len(childrenOf(t, os.Getpid())) == 1 })
}

func TestShadowThatAgreesHasNothingToTell(t *testing.T) {
	h := shadowed(t, "SAYS", "chaos")
	for _, path := range []string{"", "malformed"} {
		_, _ = call(t, h, path, "")
	}
	if r := report(t, h, "both are compared", func(r ShadowReport) bool { return r.Compared == 2 }); r.Different != 0 {
		t.Errorf("report %+v", r)
	}
}

// TestShadowThatFailsCostsNothing: it crashes at every request, or hangs.
func TestShadowThatFailsCostsNothing(t *testing.T) {
	for _, does := range []string{"exit", "hang"} {
		t.Run(does, func(t *testing.T) {
			h := shadowed(t, "ALWAYS", does)
			for range 3 * shadowQueue {
				if _, err := call(t, h, "", ""); err != nil {
					t.Fatalf("the caller gets %v", err)
				}
			}
			report(t, h, "it fails", func(r ShadowReport) bool {
				failed := r.Dropped
				for _, n := range r.Failed {
					failed += n
				}
				return failed > 0 && r.Compared == 0
			})
		})
	}
}

func TestShadowThatDoesNotStartIsRefused(t *testing.T) {
	first := spec(t)
	h := run(t, first, nil)
	broken := first
	broken.Env = map[string]string{"START": "fail"}
	if err := h.Shadow(t.Context(), "chaos", broken); err == nil {
		t.Error("it runs")
	}
	if err := h.Shadow(t.Context(), "nobody", first); err == nil {
		t.Error("nobody has a shadow")
	}
	if n := len(h.Plugins()); n != 1 {
		t.Errorf("%d plugins are left, want the one", n)
	}
}

func TestReloadEndsShadows(t *testing.T) {
	h := shadowed(t, "SAYS", "x")
	first := h.find("chaos").spec
	if err := h.Reload([]Spec{first}); err != nil {
		t.Fatal(err)
	}
	if _, still := h.ShadowReport("chaos"); still {
		t.Error("it goes on")
	}
	if _, err := call(t, h, "", ""); err != nil {
		t.Error(err)
	}
}

func TestGuestGoesByItself(t *testing.T) {
	first := spec(t)
	var passed atomic.Int64
	h := run(t, first, func(c *Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	})
	guest := first
	guest.Name = "chaos@2.0.0"
	if err := h.Guest(t.Context(), guest); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Adapt(within(t, patience), guest.Name, sdk.Request{ID: "r", Integration: "chaos/one"}); err != nil {
		t.Error(err)
	}
	passed.Store(int64(guestStay + time.Second))
	eventually(t, "it goes", func() bool { return h.find(guest.Name) == nil })
	if !h.Ready("chaos") {
		t.Error("the plugin that is configured has gone, too")
	}
}

func TestThereIsRoomForSoManyGuests(t *testing.T) {
	first := spec(t)
	h := run(t, first, nil)
	for i := range maxGuests + 1 {
		guest := first
		guest.Name = fmt.Sprint("chaos@", i)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := h.Guest(ctx, guest); (err == nil) != (i < maxGuests) {
			t.Errorf("guest %d: %v", i, err)
		}
		cancel()
	}
}

// TestConfiguredShadowLastsOverReloads: its report goes on as long as the same
// version is asked for, and ends with it.
func TestConfiguredShadowLastsOverReloads(t *testing.T) {
	first := spec(t)
	shadow := first
	shadow.Version, shadow.Env = "2.0.0", map[string]string{"GORACE": "atexit_sleep_ms=0", "SAYS": "something else"}
	first.Shadow = &shadow
	h := run(t, first, nil)
	pid := func() int {
		if s := h.find("shadow of chaos"); s != nil {
			return s.report().PID
		}
		return 0
	}
	eventually(t, "it runs", func() bool { return h.Ready("shadow of chaos") })
	if _, err := call(t, h, "", ""); err != nil {
		t.Fatal(err)
	}
	report(t, h, "it has read", func(r ShadowReport) bool { return r.Different == 1 })
	before := pid()

	again, next := first, shadow
	again.Instances = map[string]json.RawMessage{"chaos/one": json.RawMessage(`{"a":2}`)}
	next.Instances = again.Instances
	again.Shadow = &next
	if err := h.Reload([]Spec{again}); err != nil {
		t.Fatal(err)
	}
	if r, _ := h.ShadowReport("chaos"); r.Compared != 1 || pid() != before {
		t.Errorf("after a reload the report is %+v, process %d, was %d", r, pid(), before)
	}
	eventually(t, "both have the new settings", func() bool {
		got, err := call(t, h, "", "")
		seen, guestErr := h.Adapt(within(t, patience), "shadow of chaos", sdk.Request{ID: "r", Integration: "chaos/one"})
		return err == nil && guestErr == nil && got.Events[0].Description == `{"a":2}` && seen.Events[0].Description == `{"a":2}`
	})

	again.Shadow = nil
	if err := h.Reload([]Spec{again}); err != nil {
		t.Fatal(err)
	}
	if _, still := h.ShadowReport("chaos"); still {
		t.Error("it goes on though nobody asks for it")
	}
	eventually(t, "its process ends", func() bool { return len(childrenOf(t, os.Getpid())) == 1 })
	if err := h.Reload([]Spec{first}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it begins anew", func() bool { return h.Ready("shadow of chaos") })
}

// TestConfiguredShadowThatDoesNotStartIsSeen: nobody waits for it, and its
// plugin serves.
func TestConfiguredShadowThatDoesNotStartIsSeen(t *testing.T) {
	first := spec(t)
	broken := first
	broken.Env = map[string]string{"START": "fail"}
	first.Shadow = &broken
	h := run(t, first, nil)
	if _, err := call(t, h, "", ""); err != nil {
		t.Errorf("the caller gets %v", err)
	}
	eventually(t, "somebody sees why", func() bool {
		list := h.Plugins()
		return len(list) == 2 && list[1].Guest && strings.Contains(list[1].LastError, "no database here")
	})
	report(t, h, "what it missed is counted", func(r ShadowReport) bool { return r.Failed["down"] == 1 })
}
