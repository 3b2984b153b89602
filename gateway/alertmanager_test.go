//go:build alertmanager

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// alertmanager is a real Alertmanager process that notifies a stack.
type alertmanager struct {
	*stack
	url string
}

// notifying is what the tests vary of Alertmanager's configuration.
type notifying struct {
	repeat    time.Duration // repeat_interval; an hour if zero
	maxAlerts int           // alerts in one notification; no limit if zero
	routes    string        // routes below the root, one YAML list on one line
}

const alertmanagerConfiguration = `
route:
  receiver: bellcrank
  group_by: [alertname]
  group_wait: 300ms
  group_interval: 1s
  repeat_interval: %s
  routes: %s
receivers:
  - name: bellcrank
    webhook_configs:
      - url: http://%s/webhooks/%s
        send_resolved: true
        max_alerts: %d
`

// newAlertmanager starts an Alertmanager in front of a new stack. The variable
// ALERTMANAGER names a binary other than Debian's.
func newAlertmanager(t *testing.T, n notifying) *alertmanager {
	t.Helper()
	s := newStack(t)
	return startAlertmanager(s, fmt.Sprintf(alertmanagerConfiguration,
		cmp.Or(n.repeat, time.Hour), cmp.Or(n.routes, "[]"), s.ingest, keys["alertmanager"], n.maxAlerts))
}

// startAlertmanager starts one with a configuration in front of a stack.
func startAlertmanager(s *stack, text string) *alertmanager {
	s.t.Helper()
	am := &alertmanager{stack: s}
	if err := os.WriteFile(am.file("alertmanager.yml"), []byte(text), 0o600); err != nil {
		am.t.Fatal(err)
	}
	am.run()
	am.eventually("Alertmanager is ready", 10*time.Second, func() bool {
		if listening := listeningOn.FindStringSubmatch(am.log()); listening != nil {
			am.url = "http://" + listening[1]
		}
		_, err := am.read("/-/ready")
		return err == nil
	})
	return am
}

// listeningOn is how Alertmanager's log tells which port the kernel gave it.
var listeningOn = regexp.MustCompile(`Listening on" address=(127\.0\.0\.1:\d+)`)

// run starts the process. It ends with the test, before the gateway does.
func (am *alertmanager) run() {
	am.t.Helper()
	log, err := os.Create(am.file("alertmanager.log"))
	if err != nil {
		am.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.CommandContext(am.t.Context(), cmp.Or(os.Getenv("ALERTMANAGER"), "prometheus-alertmanager"),
		"--config.file="+am.file("alertmanager.yml"), "--storage.path="+am.file("alertmanager"),
		"--web.listen-address=127.0.0.1:0", "--web.external-url=http://alertmanager.test:9093",
		"--cluster.listen-address=") // on its own, so no other one can reach it
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second // then it is killed
	if err := cmd.Start(); err != nil {
		am.t.Fatal(err)
	}
	am.t.Cleanup(func() {
		cmd.Wait() // its error says no more than the log
		if am.t.Failed() {
			am.t.Logf("Alertmanager's log:\n%s", am.log())
		}
	})
}

func (am *alertmanager) log() string {
	content, err := os.ReadFile(am.file("alertmanager.log"))
	if err != nil {
		am.t.Fatal(err)
	}
	return string(content)
}

// read gets a page of Alertmanager's.
func (am *alertmanager) read(path string) (string, error) {
	response, err := client.Get(am.url + path)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", response.Status)
	}
	return string(raw), err
}

// alert is an alert as Prometheus tells Alertmanager of it.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt,omitzero"` // zero: it fires
}

// firing is an alert whose incident has the title "rule on instance".
func firing(rule, instance string) alert {
	return alert{
		Labels:      map[string]string{"alertname": rule, "instance": instance, "severity": "critical", "team": "storage"},
		Annotations: map[string]string{"summary": rule + " on " + instance, "runbook_url": "https://runbooks.test/" + rule},
		StartsAt:    time.Now(),
	}
}

// over is the alert after it has ended.
func (a alert) over() alert {
	a.EndsAt = time.Now()
	return a
}

// tell posts alerts the way Prometheus does.
func (am *alertmanager) tell(alerts ...alert) {
	am.t.Helper()
	body, err := json.Marshal(alerts)
	if err != nil {
		am.t.Fatal(err)
	}
	response, err := client.Post(am.url+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil {
		am.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(response.Body)
		am.t.Fatalf("Alertmanager answered %s: %s", response.Status, answer)
	}
}

// patience is longer than Alertmanager needs from an alert to its
// notification: group_wait or group_interval, and a retry.
const patience = 60 * time.Second

// becomes waits until the incidents are as wanted, by title, and nothing is
// owed any more.
func (am *alertmanager) becomes(want map[string]string) {
	am.t.Helper()
	var got map[string]string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		incidents := all[incident](am.stack, "incidents")
		got = map[string]string{}
		for _, in := range incidents {
			got[in.Title] = in.Status
		}
		if reflect.DeepEqual(got, want) && len(incidents) == len(want) {
			am.settled(patience)
			return
		}
	}
	am.t.Fatalf("incidents are %v after %v, want %v", got, patience, want)
}

// heard holds that the sink got just this, by title and in this order, and
// that the gateway's own books agree.
func (am *alertmanager) heard(want map[string][]string) {
	am.t.Helper()
	got := map[string][]string{}
	for _, m := range am.sink.received() {
		got[m.Incident.Title] = append(got[m.Incident.Title], strings.TrimPrefix(m.Type, "incident."))
	}
	if !reflect.DeepEqual(got, want) {
		am.t.Errorf("the receiver heard %v, want %v", got, want)
	}
	checkDeliveries(am.stack)
}

// only returns the one incident that there is.
func (am *alertmanager) only() incident {
	am.t.Helper()
	incidents := all[incident](am.stack, "incidents")
	if len(incidents) != 1 {
		am.t.Fatalf("incidents are %+v, want one", incidents)
	}
	return incidents[0]
}

func TestAlertmanagerAlertsOfAGroupBeginAndEndOneByOne(t *testing.T) {
	am := newAlertmanager(t, notifying{})
	first, second := firing("DiskFull", "db-1"), firing("DiskFull", "db-2")
	am.tell(first, second)
	am.becomes(map[string]string{"DiskFull on db-1": "investigating", "DiskFull on db-2": "investigating"})
	am.heard(map[string][]string{"DiskFull on db-1": {"created"}, "DiskFull on db-2": {"created"}})

	am.tell(first.over())
	am.becomes(map[string]string{"DiskFull on db-1": "resolved", "DiskFull on db-2": "investigating"})
	am.heard(map[string][]string{"DiskFull on db-1": {"created", "resolved"}, "DiskFull on db-2": {"created"}})

	am.tell(second.over())
	am.becomes(map[string]string{"DiskFull on db-1": "resolved", "DiskFull on db-2": "resolved"})
	am.heard(map[string][]string{"DiskFull on db-1": {"created", "resolved"}, "DiskFull on db-2": {"created", "resolved"}})
}

func TestAlertmanagerRepeatsAreCountedAndNotNews(t *testing.T) {
	am := newAlertmanager(t, notifying{repeat: time.Second})
	am.tell(firing("DiskFull", "db-1"))
	am.eventually("the alert has been repeated twice", patience, func() bool {
		incidents := all[incident](am.stack, "incidents")
		return len(incidents) == 1 && incidents[0].Count >= 3
	})
	am.settled(patience)
	if in := am.only(); in.Version != 1 || in.Severity != "Critical" {
		t.Errorf("version %d, severity %s; want 1, Critical", in.Version, in.Severity)
	}
	am.heard(map[string][]string{"DiskFull on db-1": {"created"}})
}

func TestAlertmanagerAlertThatComesBackReopensItsIncident(t *testing.T) {
	am := newAlertmanager(t, notifying{})
	a := firing("DiskFull", "db-1")
	am.tell(a)
	am.becomes(map[string]string{"DiskFull on db-1": "investigating"})
	opened := am.only().ID
	am.tell(a.over())
	am.becomes(map[string]string{"DiskFull on db-1": "resolved"})
	shown := am.cli("incident", "show", opened)
	for _, want := range []string{"\n  resolved ", "instance=db-1", "https://runbooks.test/DiskFull"} {
		if !strings.Contains(shown, want) {
			t.Errorf("incident show lacks %q:\n%s", want, shown)
		}
	}
	am.tell(firing("DiskFull", "db-1"))
	am.becomes(map[string]string{"DiskFull on db-1": "investigating"})
	if in := am.only(); in.ID != opened {
		t.Errorf("%s is open, want %s again", in.ID, opened)
	}
	am.heard(map[string][]string{"DiskFull on db-1": {"created", "resolved", "reopened"}})
}

func TestAlertmanagerAlertOnTwoRoutesIsOneIncident(t *testing.T) {
	am := newAlertmanager(t, notifying{
		routes: `[{matchers: [severity="critical"], continue: true}, {matchers: [team="storage"]}]`,
	})
	disk, raid := firing("DiskFull", "db-1"), firing("RaidDegraded", "db-1")
	am.tell(disk, raid)
	am.eventually("each alert has come along both routes", patience, func() bool {
		incidents := all[incident](am.stack, "incidents")
		return len(incidents) == 2 && incidents[0].Count == 2 && incidents[1].Count == 2
	})
	am.tell(disk.over(), raid.over())
	am.eventually("each end has come along both routes", patience, func() bool {
		return len(all[request](am.stack, "requests")) == 8
	})
	am.becomes(map[string]string{"DiskFull on db-1": "resolved", "RaidDegraded on db-1": "resolved"})
	am.heard(map[string][]string{"DiskFull on db-1": {"created", "resolved"}, "RaidDegraded on db-1": {"created", "resolved"}})
}

// request is what the tests read of the API's list of requests.
type request struct {
	ID    string `json:"id"`
	State string `json:"state"`
}

func TestAlertmanagerTruncationIsNoted(t *testing.T) {
	am := newAlertmanager(t, notifying{maxAlerts: 1})
	am.tell(firing("DiskFull", "db-1"), firing("DiskFull", "db-2"), firing("DiskFull", "db-3"))
	var requests []request
	am.eventually("the notification is done", patience, func() bool {
		requests = all[request](am.stack, "requests")
		return len(requests) == 1 && requests[0].State == "done"
	})
	const want = "2 more alerts of this group are hidden by max_alerts"
	if out := am.cli("inbox", "show", requests[0].ID); !strings.Contains(out, want) {
		t.Errorf("inbox show has no note %q:\n%s", want, out)
	}
	am.only()
}

// failedRequests matches the metrics once a request of a webhook has failed.
var failedRequests = regexp.MustCompile(`alertmanager_notification_requests_failed_total\{integration="webhook"[^}]*\} [1-9]`)

func TestAlertmanagerFindsTheGatewayAfterAnOutage(t *testing.T) {
	am := newAlertmanager(t, notifying{})
	am.kill()
	a := firing("DiskFull", "db-1")
	am.tell(a)
	am.eventually("Alertmanager has tried in vain", patience, func() bool {
		metrics, err := am.read("/metrics")
		return err == nil && failedRequests.MatchString(metrics)
	})
	am.start()
	am.becomes(map[string]string{"DiskFull on db-1": "investigating"})
	am.tell(a.over())
	am.becomes(map[string]string{"DiskFull on db-1": "resolved"})
	am.heard(map[string][]string{"DiskFull on db-1": {"created", "resolved"}})
}
