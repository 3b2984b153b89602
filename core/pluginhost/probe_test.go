//go:build unix

package pluginhost

import (
	"errors"
	"testing"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// TestProbeThatCrashesHarmsNobody: what is suspected is tried where it is
// alone.
func TestProbeThatCrashesHarmsNobody(t *testing.T) {
	h := run(t, spec(t), nil)
	pid := status(h).PID
	for _, path := range []string{"", "exit", "exit", ""} {
		var err error
		eventually(t, "an answer", func() bool { // one that has crashed starts again
			_, err = h.Probe(within(t, patience), "chaos", sdk.Request{ID: "r", Path: path, Integration: "chaos/one"})
			fault, ok := errors.AsType[*core.AdaptError](err)
			return !ok || fault.Fault != core.AdapterDown
		})
		if path == "" && err != nil {
			t.Errorf("an innocent one: %v", err)
		}
		if path == "exit" {
			wantFault(t, err, core.AdapterCrash)
		}
	}
	if now := h.find("chaos").report(); now.PID != pid || now.Restarts != 0 || now.Calls.Count != 0 {
		t.Errorf("the plugin itself was bothered: %+v", now)
	}
	_, err := h.Probe(within(t, patience), "nobody", sdk.Request{})
	if err == nil {
		t.Error("nobody answers")
	}
}
