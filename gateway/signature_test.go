package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// signing are integrations of which each signs in its own way. The secrets
// after the first are those of a rotation.
const signing = `
integration "sentry" "signed" {
  signing_secrets = [env("SINK_SECRET"), "topsecret"]
  routing_key "test" {
    value = "test-key-for-signed-sentry"
  }
}
integration "github" "signed" {
  signing_secrets = [env("SINK_SECRET"), "topsecret"]
  routing_key "test" {
    value = "test-key-for-signed-github"
  }
}
integration "grafana" "signed" {
  signing_secrets = [env("SINK_SECRET"), "topsecret"]
  routing_key "test" {
    value = "test-key-for-signed-grafana"
  }
}
integration "uptimekuma" "signed" {
  signing_secrets = [env("SINK_SECRET"), "topsecret"]
  routing_key "test" {
    value = "test-key-for-signed-kuma"
  }
}
integration "custom" "signed" {
  signing_secrets = [env("SINK_SECRET"), "topsecret"]
  signature "standard-webhooks" {}
  routing_key "test" {
    value = "test-key-for-signed-custom"
  }
}
`

func sum(parts ...string) []byte {
	mac := hmac.New(sha256.New, []byte("topsecret"))
	mac.Write([]byte(strings.Join(parts, "")))
	return mac.Sum(nil)
}

func TestOnlyWhatTheVendorSignedComesIn(t *testing.T) {
	s := newStackWith(t, signing)
	vendors := map[string]struct {
		key, body string
		sign      func(body string, at time.Time) []string
		timed     bool
		bodyless  bool // the secret itself is sent
	}{
		"sentry": {
			key: "test-key-for-signed-sentry", body: `{"action":"created","data":{"issue":{"id":"77","title":"TypeError in cart","level":"error"}}}`,
			sign: func(body string, _ time.Time) []string {
				return []string{"Sentry-Hook-Resource", "issue", "Sentry-Hook-Signature", hex.EncodeToString(sum(body))}
			},
		},
		"github": {
			key: "test-key-for-signed-github",
			body: `{"action":"completed","workflow":{"id":5,"name":"build"},"workflow_run":{"id":6,"conclusion":"failure","head_branch":"main"},` +
				`"repository":{"id":7,"name":"shop","full_name":"acme/shop"}}`,
			sign: func(body string, _ time.Time) []string {
				return []string{"X-GitHub-Event", "workflow_run", "X-Hub-Signature-256", "sha256=" + hex.EncodeToString(sum(body))}
			},
		},
		"grafana": {
			key: "test-key-for-signed-grafana", body: `{"status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Late"}}]}`,
			sign: func(body string, _ time.Time) []string {
				return []string{"X-Grafana-Alerting-Signature", hex.EncodeToString(sum(body))}
			},
		},
		"grafana with a timestamp": {
			key: "test-key-for-signed-grafana", body: `{"status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Later"}}]}`, timed: true,
			sign: func(body string, at time.Time) []string {
				unix := strconv.FormatInt(at.Unix(), 10)
				return []string{"X-Grafana-Alerting-Timestamp", unix, "X-Grafana-Alerting-Signature", hex.EncodeToString(sum(unix, ":", body))}
			},
		},
		"uptime kuma with a header": {
			key: "test-key-for-signed-kuma", body: `{"heartbeat":{"status":0},"monitor":{"id":3,"name":"Shop"},"msg":"down"}`, bodyless: true,
			sign: func(string, time.Time) []string { return []string{"Authorization", "Bearer topsecret"} },
		},
		"custom by an operator's scheme": {
			key: "test-key-for-signed-custom", body: `{"title":"Backup failed"}`, timed: true,
			sign: func(body string, at time.Time) []string {
				unix := strconv.FormatInt(at.Unix(), 10)
				signature := "v1," + base64.StdEncoding.EncodeToString(sum("msg_1.", unix, ".", body))
				return []string{"Webhook-Id", "msg_1", "Webhook-Timestamp", unix, "Webhook-Signature", signature}
			},
		},
	}
	for name, v := range vendors {
		t.Run(name, func(t *testing.T) {
			wants := func(what, body string, header []string, status int, says string) {
				t.Helper()
				a, err := s.postTo(t.Context(), v.key, body, header...)
				// A busy machine may answer before its adapter: that is a welcome, too.
				if accepted := status == http.StatusOK && a.Status == http.StatusAccepted; err != nil || a.Status != status && !accepted || !strings.Contains(a.Body, says) {
					t.Errorf("%s: %d %s (%v), want %d %s", what, a.Status, a.Body, err, status, says)
				}
			}
			now := time.Now()
			wants("unsigned", v.body, v.sign(v.body, now)[:0], http.StatusUnauthorized, "The signature is missing")
			wants("signed", v.body, v.sign(v.body, now), http.StatusOK, `"success":true`)
			if !v.bodyless {
				wants("tampered", v.body+" ", v.sign(v.body, now), http.StatusUnauthorized, "SIGNATURE_INVALID")
			}
			if v.timed {
				wants("stale", v.body, v.sign(v.body, now.Add(-time.Hour)), http.StatusUnauthorized, "SIGNATURE_EXPIRED")
			}
		})
	}
}

func TestADeliveryThatIsSentAgainIsKnown(t *testing.T) {
	s := newStackWith(t, signing)
	body := `{"title":"Disk full"}`
	unix := strconv.FormatInt(time.Now().Unix(), 10)
	header := []string{
		"Webhook-Id", "msg_2", "Webhook-Timestamp", unix,
		"Webhook-Signature", "v1," + base64.StdEncoding.EncodeToString(sum("msg_2.", unix, ".", body)),
	}
	for i, duplicate := range []bool{false, true, true} {
		a, err := s.postTo(t.Context(), "test-key-for-signed-custom", body, header...)
		if err != nil || a.Status/100 != 2 || strings.Contains(a.Body, `"duplicate":true`) != duplicate {
			t.Errorf("time %d: %d %s (%v), want duplicate %v", i+1, a.Status, a.Body, err, duplicate)
		}
	}
	s.settled(60 * time.Second)
	if got := len(all[incident](s, "incidents")); got != 1 {
		t.Errorf("%d incidents, want 1", got)
	}
}
