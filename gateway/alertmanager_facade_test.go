//go:build alertmanager

package main

import (
	"fmt"
	"testing"
	"time"
)

// TestAlertmanagerBelievesThatItTalksToOthers drives Alertmanager's own
// notifiers for PagerDuty and Opsgenie against us.
func TestAlertmanagerBelievesThatItTalksToOthers(t *testing.T) {
	for name, receiver := range map[string]string{
		"PagerDuty": `pagerduty_configs:
      - routing_key: ` + facadeKey + `
        url: http://%s/v2/enqueue
        severity: critical`,
		"Opsgenie": `opsgenie_configs:
      - api_key: ` + genieKey + `
        api_url: http://%s/
        update_alerts: true
        message: '{{ .CommonAnnotations.summary }}'
        priority: P1`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newStackWith(t, facades)
			am := startAlertmanager(s, fmt.Sprintf(`
route:
  receiver: bellcrank
  group_by: [alertname]
  group_wait: 300ms
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: bellcrank
    `+receiver+"\n", s.ingest))
			disk := firing("DiskFull", "a")
			am.tell(disk)
			var opened incident
			s.eventually("the alert has an incident", patience, func() bool {
				list := all[incident](s, "incidents")
				if len(list) == 1 {
					opened = list[0]
				}
				return opened.Status == "investigating"
			})
			if opened.Title == "" || opened.DedupKey == "" {
				t.Errorf("incident %+v, want a title and a key", opened)
			}
			if opened.Severity != "Critical" {
				t.Errorf("severity %q, want Critical", opened.Severity)
			}
			am.tell(disk.over())
			s.eventually("the incident is resolved", patience, func() bool {
				list := all[incident](s, "incidents")
				return len(list) == 1 && list[0].Status == "resolved"
			})
			s.settled(30 * time.Second)
		})
	}
}
