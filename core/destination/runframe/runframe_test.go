package runframe

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const created = `{"success":true,"incident":{"id":"INC-042","title":"x","severity":"High","status":"investigating","url":"https://app.runframe.io/incidents/INC-042"}}`

func newSender(t *testing.T, url string) *Sender {
	t.Helper()
	s, err := New(destinationtest.Config(t, map[string]any{"url": url + "/webhooks/s3cr3t"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestItIsHeldToWhatAllAre(t *testing.T) {
	destinationtest.Run(t, destinationtest.Kit{
		New:    func(t *testing.T, url string) core.Sender { return newSender(t, url) },
		Accept: destinationtest.Answer(200, created), Disliked: 422,
	})
}

func TestABodyIsWhatRunframePublishes(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, created))
	s := newSender(t, vendor.URL)
	for kind, status := range map[core.Kind]string{
		core.Created: "triggered", core.Escalated: "triggered", core.AckedKind: "acknowledged", core.ResolvedKind: "resolved",
	} {
		m := destinationtest.Message(kind)
		destinationtest.Send(t, s, m)
		r := vendor.Requests()[0]
		want := map[string]any{
			"title": "Disk is full", "description": "98 % of /var is used.", "severity": string(m.Incident.Severity),
			"service": "database", "affected_services": []any{"api", "database"}, "customer_impact": true, "status": status,
			"dedup_key": "bellcrank-000000000000e", "source_url": "https://monitor.example/1", "integration": "datadog/prod",
			"labels": map[string]any{"team": "sre"},
		}
		if diff := cmp.Diff(want, r.JSON(t)); diff != "" || r.Path != "/webhooks/s3cr3t" {
			t.Errorf("%s to %s (-want +got):\n%s", kind, r.Path, diff)
		}
	}
}

func TestARefusalSaysWhy(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		class  core.FaultClass
		want   string
	}{
		"unknown key": {404, `{"success":false,"error":{"code":"ROUTE_NOT_FOUND","message":"Webhook routing key is invalid or expired"}}`, core.DestinationFault, "404 ROUTE_NOT_FOUND: Webhook routing key"},
		"no title":    {400, `{"success":false,"error":{"code":"VALIDATION_FAILED","message":"title is required"}}`, core.DeliveryFault, "VALIDATION_FAILED"},
		"in a 200":    {200, `{"success":false,"error":{"code":"X","message":"no"}}`, core.DestinationFault, "200 X: no"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			vendor := destinationtest.NewVendor(t, destinationtest.Answer(tt.status, tt.body))
			a := destinationtest.Send(t, newSender(t, vendor.URL), destinationtest.Message(core.Created))
			if class, _ := a.Classify(time.Now()); class != tt.class || a.Err == nil || !strings.Contains(a.Err.Error(), tt.want) {
				t.Errorf("answer %+v is class %q, want %q and %q", a, class, tt.class, tt.want)
			}
		})
	}
}

func TestATemplateMakesTheTitle(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, created))
	cfg := destinationtest.Config(t, map[string]any{"url": vendor.URL})
	cfg.Templates = map[string]core.Template{"title": func(m core.Message) (string, error) { return "EU: " + m.Incident.Title, nil }}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	destinationtest.Send(t, s, destinationtest.Message(core.Created))
	if got := vendor.Requests()[0].JSON(t)["title"]; got != "EU: Disk is full" {
		t.Errorf("title %v, want the template's", got)
	}
}

func TestAURLIsRequired(t *testing.T) {
	if _, err := New(destinationtest.Config(t, map[string]any{})); err == nil {
		t.Error("settings without a url were taken")
	}
}
