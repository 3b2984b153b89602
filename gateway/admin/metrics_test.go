package admin

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"bellcrank.example/core"
)

func TestMetrics(t *testing.T) {
	m := NewMetrics("1.2.3")
	con := open(t, func(c *Config) { c.Metrics = m })
	m.Webhook("custom/scripts", 200, "", 3*time.Millisecond, 1500)
	m.Webhook("custom/scripts", 401, core.SignatureInvalid, time.Millisecond, 0)
	m.Webhook("", 404, core.RouteNotFound, time.Millisecond, 0)
	status, body := con.ask(t, "GET", "/metrics", "Host", "scraped-by-any-name.example")
	if status != 200 {
		t.Fatalf("got %d %s", status, body)
	}
	for _, want := range []string{
		`bellcrank_build_info{version="1.2.3"} 1`,
		`bellcrank_webhooks_received_total{code="200",integration="custom/scripts"} 1`,
		`bellcrank_webhooks_rejected_total{integration="custom/scripts",reason="signature_invalid"} 1`,
		`bellcrank_webhooks_rejected_total{integration="unknown",reason="route_not_found"} 1`,
		`bellcrank_webhook_accept_duration_seconds_count{integration="custom/scripts"} 1`,
		`bellcrank_webhook_body_bytes_sum 1500`,
		`bellcrank_store_up 1`,
		`bellcrank_inbox_pending 1`,
		`bellcrank_deliveries_parked 1`,
		`bellcrank_destination_enabled{destination="webhook/ops"} 0`,
		`bellcrank_plugin_up{plugin="datadog",version=""} 0`,
		`bellcrank_plugin_state{plugin="datadog",state="backoff"} 1`,
		`bellcrank_plugin_state{plugin="datadog",state="ready"} 0`,
		`bellcrank_plugin_restarts_total{plugin="datadog",reason="hung"} 2`,
		`bellcrank_plugin_calls_total{outcome="timeout",plugin="datadog"} 7`,
		`bellcrank_plugin_waiting{plugin="datadog"} 3`,
		`bellcrank_plugin_call_duration_seconds_bucket{plugin="datadog",le="0.001"} 2`,
		`bellcrank_plugin_call_duration_seconds_count{plugin="datadog"} 9`,
		`go_goroutines`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s isn't among the metrics", want)
		}
	}
	if problems, err := testutil.GatherAndLint(m.registry); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}

	con.store.down = errors.New("down")
	if status, body := con.ask(t, "GET", "/metrics"); status != 200 || !strings.Contains(body, "bellcrank_store_up 0") || strings.Contains(body, "bellcrank_inbox_pending") {
		t.Errorf("with the store down: got %d and figures that nobody knows", status)
	}
	if status, _ := con.ask(t, "GET", "/metrics", "Authorization", ""); status != 401 {
		t.Errorf("without the token: got %d, want 401", status)
	}
}
