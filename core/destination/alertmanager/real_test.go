//go:build alertmanager

package alertmanager

import (
	"cmp"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
)

// listeningOn is how Alertmanager's log tells which port the kernel gave it.
var listeningOn = regexp.MustCompile(`Listening on" address=(127\.0\.0\.1:\d+)`)

// startAlertmanager runs a real one that notifies nobody, and returns its URL.
// The variable ALERTMANAGER names a binary other than Debian's.
func startAlertmanager(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	configuration := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(configuration, []byte("route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.CommandContext(t.Context(), cmp.Or(os.Getenv("ALERTMANAGER"), "prometheus-alertmanager"),
		"--config.file="+configuration, "--storage.path="+dir, "--web.listen-address=127.0.0.1:0", "--cluster.listen-address=")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // it was told to end
	var url string
	eventually(t, "Alertmanager listens", func() bool {
		text, _ := os.ReadFile(log.Name())
		if found := listeningOn.FindSubmatch(text); found != nil {
			url = "http://" + string(found[1])
		}
		return url != ""
	})
	return url
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// firing lists the severities of the alerts that fire.
func firing(t *testing.T, url string) []string {
	t.Helper()
	response, err := http.Get(url + "/api/v2/alerts?active=true")
	if err != nil {
		return nil // it isn't ready
	}
	defer response.Body.Close()
	var alerts []struct {
		Labels map[string]string `json:"labels"`
	}
	if err := json.NewDecoder(response.Body).Decode(&alerts); err != nil {
		return nil
	}
	var severities []string
	for _, a := range alerts {
		severities = append(severities, a.Labels["severity"])
	}
	return severities
}

func TestAlertmanagerTakesAnIncidentOver(t *testing.T) {
	url := startAlertmanager(t)
	s, err := New(destinationtest.Config(t, map[string]any{"url": url}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	opened, memory := time.Now().Add(-time.Hour), ""
	for _, step := range []struct {
		kind core.Kind
		want []string
	}{{core.Created, []string{"high"}}, {core.Escalated, []string{"critical"}}, {core.ResolvedKind, nil}} {
		m := destinationtest.Message(step.kind)
		m.Memory, m.At, m.Incident.OpenedAt = memory, time.Now().Add(-time.Second), opened
		if step.kind == core.ResolvedKind {
			m.Incident.ResolvedAt = m.At
		}
		eventually(t, string(step.kind)+" is taken", func() bool {
			a := destinationtest.Send(t, s, m)
			memory = cmp.Or(a.Remember, memory)
			return a.Status == http.StatusOK
		})
		eventually(t, string(step.kind)+" is shown", func() bool { return slices.Equal(firing(t, url), step.want) })
	}
}
