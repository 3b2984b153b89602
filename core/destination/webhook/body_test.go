package webhook

import (
	"errors"
	"net/netip"
	"testing"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
)

func TestAnOperatorsBodyIsSentAndSigned(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	tests := map[string]struct {
		template   core.Template
		body, kind string
	}{
		"JSON":      {func(m core.Message) (string, error) { return `{"text":"` + m.Incident.Service + `"}`, nil }, `{"text":"database"}`, "application/json"},
		"text":      {func(core.Message) (string, error) { return "disk full", nil }, "disk full", "text/plain; charset=utf-8"},
		"a failure": {func(core.Message) (string, error) { return "", errors.New("no such member") }, "", "application/json"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			vendor := destinationtest.NewVendor(t, destinationtest.Answer(200, ""))
			s, err := New(Config{
				Settings:     encode(t, Settings{URL: vendor.URL, SigningSecrets: []string{secret}}),
				AllowedCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
				Templates:    map[string]core.Template{"body": tt.template},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if a := destinationtest.Send(t, s, destinationtest.Message(core.Created)); a.Status != 200 {
				t.Fatalf("answer %+v, want 200", a)
			}
			r := vendor.Requests()[0]
			if r.Header.Get("Content-Type") != tt.kind || tt.body != "" && string(r.Body) != tt.body {
				t.Errorf("%s %s, want %s %s", r.Header.Get("Content-Type"), r.Body, tt.kind, tt.body)
			}
			if tt.body == "" && r.JSON(t)["type"] != "incident.created" {
				t.Errorf("body %s, want the published one", r.Body)
			}
			if !verify(secret, r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp"), r.Header.Get("Webhook-Signature"), r.Body) {
				t.Error("the signature isn't that of the body")
			}
		})
	}
}
