//go:build linux

package bench

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/client"
)

// TestTheLargestStormArrives has the real adapter read the largest bodies that
// there are: what bounds a plugin's answers must never cost an outage its alerts.
func TestTheLargestStormArrives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alertmanager")
	if out, err := exec.Command("go", "build", "-o", path, "bellcrank.example/plugins/alertmanager").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	c, err := client.Start(t.Context(), client.Config{Path: path, StartTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Kill()
	for name, tt := range map[string]struct {
		alerts int
		alert  func(i int) string
	}{
		"as many as there may be, each as small as can be": {65_536, func(i int) string {
			return fmt.Sprintf(`{"status":"firing","labels":{"alertname":"A"},"annotations":{},"startsAt":"2026-11-24T10:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"%016x"}`, i)
		}},
		"16 MiB of usual ones": {20_000, func(i int) string {
			return fmt.Sprintf(`{"status":"firing","fingerprint":"%016x","startsAt":"2026-11-24T10:00:00Z","endsAt":"0001-01-01T00:00:00Z",`+
				`"generatorURL":"https://prometheus.example/graph?g0.expr=up","labels":{"alertname":"TargetDown","severity":"critical","cluster":"eu-1",`+
				`"namespace":"shop","job":"checkout","instance":"10.1.2.3:%d","pod":"p","team":"payments","zone":"a","tier":"1"},"annotations":`+
				`{"summary":"checkout is down","description":%q,"runbook_url":"https://wiki.example/runbooks/target-down"}}`, i, i, strings.Repeat("x", 300))
		}},
		"16 MiB of long texts": {250, func(i int) string {
			return fmt.Sprintf(`{"status":"firing","fingerprint":"%016x","startsAt":"2026-11-24T10:00:00Z","labels":{"alertname":"A"},"annotations":{"description":%q}}`,
				i, strings.Repeat("x", 64<<10))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			alerts := make([]string, tt.alerts)
			for i := range alerts {
				alerts[i] = tt.alert(i)
			}
			body := `{"version":"4","status":"firing","receiver":"gateway","externalURL":"https://alertmanager.example","groupLabels":{},"alerts":[` +
				strings.Join(alerts, ",") + `]}`
			if len(body) > 16<<20 {
				t.Fatalf("the body has %d bytes", len(body))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			result, err := c.Adapt(ctx, sdk.Request{ID: "1", Method: "POST", Body: []byte(body)})
			if err != nil || len(result.Events) != tt.alerts {
				t.Errorf("%d of %d alerts arrived: %v", len(result.Events), tt.alerts, err)
			}
		})
	}
}
