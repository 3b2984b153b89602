package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/fetch"
	"bellcrank.example/core/keyring/snstest"
	"bellcrank.example/core/pluginhost"
	"bellcrank.example/gateway/config"
	"bellcrank.example/sdk"
)

const snsKey = "test-key-for-sns-messages"

// snsGateway is a whole gateway with a real sns plugin, for which the outside
// is an SNS of its own.
type snsGateway struct {
	t             *testing.T
	dir           string
	sns           *snstest.SNS
	ingest, admin string
	client        *http.Client
}

func newSNSGateway(t *testing.T) *snsGateway {
	t.Helper()
	g := &snsGateway{t: t, dir: t.TempDir(), sns: snstest.New(t), client: &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}}
	t.Cleanup(g.client.CloseIdleConnections)
	executable, info := g.buildPlugin()
	file := filepath.Join(g.dir, "gateway.hcl")
	text := fmt.Sprintf(`
data_dir = %q
listener "ingest" {
  address = "127.0.0.1:0"
}
listener "admin" {
  address = "127.0.0.1:0"
}
integration "sns" "aws" {
  routing_key "test" {
    value = %q
  }
  settings {
    topics = [%q]
  }
}
destination "log" "out" {
}
route "all" {
  to = [destination.log.out]
}
`, filepath.Join(g.dir, "data"), snsKey, snstest.Topic)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	cfg := Config{
		Load: func() (*config.Config, error) {
			c, diags := config.Load(config.Source{Paths: []string{file}, Describe: func(config.Plugin) (sdk.Info, bool) { return info, true }})
			if diags.HasErrors() {
				return nil, fmt.Errorf("configuration: %v", diags.Problems())
			}
			return c, nil
		},
		Specs: func(c *config.Config) ([]pluginhost.Spec, error) {
			settings := map[string]json.RawMessage{c.Integrations[0].ID(): c.Integrations[0].Settings}
			return []pluginhost.Spec{{Name: "sns", Type: "sns", Path: executable, Unpinned: true, Info: &info, Instances: settings}}, nil
		},
		Outside: fetch.Config{Dial: g.sns.Dial, Roots: g.sns.Roots},
		Started: func(ingest, admin string) {
			g.ingest, g.admin = ingest, admin
			close(started)
		},
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, cfg, nil) }()
	select {
	case <-started:
	case err := <-ended:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the gateway: %v", err)
		}
	})
	return g
}

func (g *snsGateway) buildPlugin() (string, sdk.Info) {
	g.t.Helper()
	executable := filepath.Join(g.dir, "sns")
	if out, err := exec.Command("go", "build", "-o", executable, "../../plugins/sns").CombinedOutput(); err != nil {
		g.t.Fatalf("build the plugin: %v\n%s", err, out)
	}
	out, err := exec.Command(executable, "-describe").Output()
	if err != nil {
		g.t.Fatal(err)
	}
	var info sdk.Info
	if err := json.Unmarshal(out, &info); err != nil {
		g.t.Fatal(err)
	}
	return executable, info
}

// said is the door's answer.
type said struct {
	status    int
	Status    string
	Duplicate bool
	Incident  struct{ ID, Title, Status string }
	Receipt   struct{ ID string }
	Error     struct{ Code, Message string }
}

func (g *snsGateway) post(m map[string]string, header ...string) said {
	g.t.Helper()
	request, err := http.NewRequest(http.MethodPost, "http://"+g.ingest+"/webhooks/"+snsKey, bytes.NewReader(snstest.Body(g.t, m)))
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "text/plain; charset=UTF-8")
	request.Header.Set("X-Amz-Sns-Message-Type", m["Type"])
	request.Header.Set("X-Amz-Sns-Message-Id", m["MessageId"])
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := g.client.Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	answer := said{status: response.StatusCode}
	if err != nil || json.Unmarshal(body, &answer) != nil {
		g.t.Fatalf("answer %d %s: %v", response.StatusCode, body, err)
	}
	return answer
}

// request asks the admin listener what became of a receipt.
func (g *snsGateway) request(id string) (r struct {
	State, Code, Reason string
	Notes               []string
}) {
	g.t.Helper()
	token, err := os.ReadFile(filepath.Join(g.dir, "data", tokenFile))
	if err != nil {
		g.t.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodGet, "http://"+g.admin+"/v1/requests/"+id, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	response, err := g.client.Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil || response.StatusCode != http.StatusOK {
		g.t.Fatalf("request %s: %d %v", id, response.StatusCode, err)
	}
	return r
}

func (g *snsGateway) becomes(id string, state core.RequestState) {
	g.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); g.request(id).State != string(state); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.t.Fatalf("request %+v, want it %s", g.request(id), state)
		}
	}
}

func snsAlarm(state string, at time.Time) string {
	return fmt.Sprintf(`{"AlarmName":"cpu","AlarmArn":"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:cpu","NewStateValue":%q,"StateChangeTime":%q}`,
		state, at.UTC().Format("2006-01-02T15:04:05.000-0700"))
}

func TestAmazonSNSFromTheSubscriptionToTheEndOfAnAlarm(t *testing.T) {
	g := newSNSGateway(t)
	now := time.Now()
	subscription := g.post(g.sns.Subscription(t, "sub-1", now))
	if subscription.status != http.StatusAccepted {
		t.Errorf("the certificate isn't there, but the answer is %+v, want 202", subscription)
	}
	g.becomes(subscription.Receipt.ID, core.RequestIgnored)
	if notes := g.request(subscription.Receipt.ID).Notes; !strings.Contains(strings.Join(notes, ";"), "is confirmed") {
		t.Errorf("notes %q, want that the subscription is confirmed", notes)
	}
	if asked := strings.Join(g.sns.Asked(), " "); strings.Count(asked, "ConfirmSubscription") != 1 || strings.Count(asked, ".pem") != 1 {
		t.Errorf("SNS was asked for %q, want one certificate and one confirmation", asked)
	}

	alarm := g.sns.Notification(t, "2", "msg-1", snsAlarm("ALARM", now), now)
	opened := g.post(alarm)
	if opened.status != http.StatusAccepted { // the plugin was slow
		if opened.status != http.StatusOK || opened.Incident.Title != "cpu" || opened.Incident.Status != "investigating" {
			t.Errorf("alarm: %+v, want an incident", opened)
		}
	}
	g.becomes(opened.Receipt.ID, core.RequestDone)
	alarm["UnsubscribeURL"] = "https://x.example/"
	if again := g.post(alarm, "Idempotency-Key", "another"); again.status != http.StatusOK || !again.Duplicate || again.Receipt != opened.Receipt {
		t.Errorf("replay: %+v, want the answer to the first one", again)
	}
	closed := g.post(g.sns.Notification(t, "1", "msg-2", snsAlarm("OK", now.Add(time.Second)), now))
	g.becomes(closed.Receipt.ID, core.RequestDone)
	if after := g.post(g.sns.Notification(t, "1", "msg-2", snsAlarm("OK", now.Add(time.Second)), now)); after.Incident.Status != "resolved" {
		t.Errorf("after the OK the incident is %+v, want it resolved", after.Incident)
	}
}

func TestForgedMessagesOfSNSReachNoAdapter(t *testing.T) {
	g := newSNSGateway(t)
	now := time.Now()
	// Nothing is known of the certificate: the forgery is stored, and refused
	// when it is.
	g.sns.Answer(http.StatusServiceUnavailable)
	forged := g.sns.Notification(t, "1", "msg-1", snsAlarm("ALARM", now), now)
	forged["Message"] = snsAlarm("ALARM", now.Add(time.Second))
	early, genuine := g.post(forged), g.post(g.sns.Notification(t, "1", "msg-1", snsAlarm("ALARM", now), now))
	if early.status != http.StatusAccepted || genuine.status != http.StatusAccepted || genuine.Duplicate {
		t.Errorf("answers %+v and %+v, want 202 to both", early, genuine)
	}
	g.sns.Answer(0)
	g.becomes(early.Receipt.ID, core.RequestRejected)
	if r := g.request(early.Receipt.ID); r.Code != string(core.SignatureInvalid) || !strings.Contains(r.Reason, "doesn't match") {
		t.Errorf("the forgery is %+v, want a bad signature", r)
	}
	g.becomes(genuine.Receipt.ID, core.RequestDone)
	for name, change := range map[string]func(map[string]string){
		"SIGNATURE_INVALID: The signature doesn't match":                             func(m map[string]string) { m["Message"] = "x" },
		"SIGNATURE_INVALID: The signing certificate isn't on a host of Amazon SNS":   func(m map[string]string) { m["SigningCertURL"] = "https://sns.evil.example/x.pem" },
		"SIGNATURE_EXPIRED: The signature's timestamp is too far from the present":   func(m map[string]string) { m["Timestamp"] = now.Add(-3 * time.Hour).UTC().Format(time.RFC3339) },
		"SIGNATURE_INVALID: The message id of the header isn't the signed one":       func(m map[string]string) { m["MessageId"] = "other" },
		"SIGNATURE_INVALID: Raw message delivery isn't signed: turn it off for the ": nil,
	} {
		m := g.sns.Notification(t, "1", "msg-2", snsAlarm("ALARM", now), now)
		header := []string{"X-Amz-Sns-Message-Id", "msg-2"}
		if change != nil {
			change(m)
		} else {
			header = append(header, "X-Amz-Sns-Rawdelivery", "true")
		}
		got := g.post(m, header...)
		if got.status != http.StatusUnauthorized || !strings.HasPrefix(got.Error.Code+": "+got.Error.Message, name) {
			t.Errorf("answer %+v, want 401 %s", got, name)
		}
	}
}
