package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/gateway/server"
	"bellcrank.example/sdk"
)

func TestMain(m *testing.M) {
	// The HTTP library keeps one clock for ever, and its janitor wakes every ten
	// seconds to see that its server has stopped.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

const token = "the-operators-token-0123456789"

var (
	noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	disk = &core.Incident{
		ID: 7 << 22, Number: 42, Integration: "custom/scripts", Title: "Disk full", Severity: sdk.High, Status: core.Investigating,
		Count: 3, Version: 2, OpenedAt: noon, Metadata: map[string]any{"big": json.Number("12345678901234567890")},
	}
	paging = core.Delivery{ID: 9 << 22, Incident: disk.ID, Version: 1, Kind: core.Created, Destination: "webhook/ops", State: core.DeliveryDue, NextAt: noon, CreatedAt: noon}
	sent   = &core.Request{
		ID: 5 << 22, Integration: "custom/scripts", KeyID: "main", ReceivedAt: noon, Source: netip.MustParseAddr("192.0.2.1"),
		Method: "POST", State: core.RequestDone, Body: []byte("{\"a\":1}\xff"), Incidents: []core.ID{disk.ID}, Total: 1,
	}
)

// memory is a store with one of everything.
type memory struct {
	down      error
	incidents core.IncidentFilter // as asked for last
	requests  core.RequestFilter
	delivery  core.DeliveryFilter
	act       core.Act // as asked for last
	audited   []core.ID
	bulk      core.Bulk
}

func (m *memory) Incidents(_ context.Context, f core.IncidentFilter) ([]*core.Incident, error) {
	m.incidents = f
	return []*core.Incident{disk}, m.down
}

func (m *memory) Incident(_ context.Context, number int64) (core.IncidentDetail, error) {
	if number != disk.Number {
		return core.IncidentDetail{}, &core.Error{Code: core.NotFound, Message: "There is no such incident"}
	}
	return core.IncidentDetail{
		Incident:   disk,
		Timeline:   []core.TimelineEntry{{At: noon, Action: sdk.Trigger, Effect: core.EffectOpened, Request: sent.ID}},
		Versions:   []core.VersionLine{{Number: 1, Kind: core.Created, At: noon}},
		Deliveries: []core.Delivery{paging},
	}, m.down
}

func (m *memory) Requests(_ context.Context, f core.RequestFilter) ([]*core.Request, error) {
	m.requests = f
	return []*core.Request{sent}, m.down
}

func (m *memory) Request(_ context.Context, id core.ID) (*core.Request, error) {
	if id != sent.ID {
		return nil, &core.Error{Code: core.NotFound, Message: "There is no such request"}
	}
	return sent, m.down
}

func (m *memory) Deliveries(_ context.Context, f core.DeliveryFilter) ([]core.Delivery, error) {
	m.delivery = f
	return []core.Delivery{paging}, m.down
}

func (m *memory) Attempts(context.Context, core.ID) ([]core.Attempt, error) {
	return []core.Attempt{{Number: 1, At: noon, Took: 1500 * time.Millisecond, Status: 503, Class: core.DestinationFault}}, m.down
}

func (m *memory) DestinationStates(context.Context) ([]core.DestinationState, error) {
	return []core.DestinationState{{Destination: "webhook/ops", Disabled: core.DisabledExhausted, Since: noon, Failures: 5}}, m.down
}

func (m *memory) Backlog(context.Context) (core.Backlog, error) {
	return core.Backlog{Requests: 1, OldestRequest: noon, Deliveries: 2, Parked: 1}, m.down
}

func (m *memory) Writable(context.Context) error { return m.down }

func (m *memory) RequestTally(context.Context, string, time.Time) (core.Tally, error) {
	return core.Tally{OK: 3, Failed: 1, Last: noon, LastOK: noon.Add(-time.Hour)}, m.down
}

func (m *memory) RequestTrouble(context.Context, string, int) ([]core.Trouble, error) {
	return []core.Trouble{{At: noon, Code: "SIGNATURE_INVALID", Message: "The signature is missing"}}, m.down
}

func (m *memory) DeliveryTally(context.Context, string, time.Time) (core.Tally, error) {
	return core.Tally{}, m.down
}

func (m *memory) DeliveryTrouble(context.Context, string, int) ([]core.Trouble, error) {
	return nil, m.down
}

// opener is a tester whose tests open INC-042.
type opener struct{}

func (opener) Test(_ context.Context, in *core.Integration, sample string) (core.Receipt, error) {
	return core.Receipt{Request: sent.ID, State: core.RequestDone, Incidents: []core.IncidentSummary{{Number: 42}}}, nil
}

// console is the API on a real socket.
type console struct {
	addr   string
	store  *memory
	sender *sender
}

func open(t *testing.T, change func(*Config)) *console {
	t.Helper()
	con := &console{store: &memory{}, sender: &sender{}}
	cfg := Config{
		Token: core.NewSecret(token), Store: con.store, Tester: opener{}, Dispatcher: con.sender, Bulk: con.store.start, PublicURL: "https://alerts.example",
		Integrations: func() []*core.Integration {
			return []*core.Integration{{
				Type: "custom", Name: "scripts", Plugin: "custom", Limits: sdk.Limits{Body: 4 << 20},
				Keys:           []core.RoutingKey{{ID: "main", Value: core.NewSecret("a-secret-routing-key-0123")}, {ID: "old", Expires: noon}},
				SigningSecrets: []core.Secret{core.NewSecret("a-signing-secret")},
				Info:           sdk.Info{Signatures: []sdk.SignatureScheme{{Kind: sdk.SchemeBearer}}},
			}}
		},
		Destinations: func() []*core.Destination { return []*core.Destination{{Type: "webhook", Name: "ops"}} },
		Plugins: func() []Plugin {
			return []Plugin{{Name: "custom", State: "ready"}, {
				Name: "datadog", State: "backoff", Waiting: 3, RestartsBy: map[string]int{"hung": 2}, Calls: map[string]uint64{"timeout": 7},
				Durations: Durations{Count: 9, Sum: 1.5, Within: map[float64]uint64{.001: 2, 5: 9}},
				Crash:     &PluginCrash{Exit: "signal: killed", Output: []string{"last words"}},
			}}
		},
		Now: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler), Hosts: []string{"admin.example"},
	}
	if change != nil {
		change(&cfg)
	}
	s := server.New(server.Config{Name: "admin", Logger: cfg.Logger})
	Register(s.Router(), cfg)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	con.addr = ln.Addr().String()
	return con
}

// ask calls the API with the token; header lines "Host" and others go above.
func (con *console) ask(t *testing.T, method, path string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+con.addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestOnlyTheTokenOpensTheAPI(t *testing.T) {
	con := open(t, nil)
	tests := map[string]struct {
		header []string
		status int
	}{
		"token":                       {nil, 200},
		"scheme in lower case":        {[]string{"Authorization", "bearer " + token}, 200},
		"no token":                    {[]string{"Authorization", ""}, 401},
		"wrong token":                 {[]string{"Authorization", "Bearer " + token + "x"}, 401},
		"token as a password":         {[]string{"Authorization", "Basic " + token}, 401},
		"by the configured name":      {[]string{"Host", "Admin.example:8081"}, 200},
		"by localhost":                {[]string{"Host", "localhost"}, 200},
		"by an IPv6 address":          {[]string{"Host", "[::1]:8081"}, 200},
		"by a rebound name":           {[]string{"Host", "evil.example"}, 403},
		"from a page of its own":      {[]string{"Host", "localhost:1", "Origin", "http://localhost:1"}, 200},
		"from another's page":         {[]string{"Origin", "http://evil.example"}, 403},
		"from a page without a name":  {[]string{"Origin", "null"}, 403},
		"from another's page by hint": {[]string{"Sec-Fetch-Site", "cross-site"}, 403},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if status, body := con.ask(t, "GET", "/v1/status", tt.header...); status != tt.status {
				t.Errorf("got %d %s, want %d", status, body, tt.status)
			}
		})
	}
	t.Run("an empty token lets nobody in", func(t *testing.T) {
		con := open(t, func(c *Config) { c.Token = core.Secret{} })
		for _, header := range []string{"Bearer ", "Bearer", ""} {
			if status, _ := con.ask(t, "GET", "/v1/status", "Authorization", header); status != 401 {
				t.Errorf("%q got %d, want 401", header, status)
			}
		}
	})
}

func TestReadiness(t *testing.T) {
	var draining error
	now := noon
	con := open(t, func(c *Config) {
		c.Ready = func() error { return draining }
		c.Now = func() time.Time { return now }
	})
	check := func(path string, want int) {
		t.Helper()
		if status, body := con.ask(t, "GET", path, "Authorization", "", "Host", "any.example"); status != want || strings.Contains(body, "secret") {
			t.Errorf("%s got %d %q, want %d", path, status, body, want)
		}
	}
	check("/livez", 200)
	check("/readyz", 200)
	con.store.down = errors.New("/secret/path is full")
	check("/readyz", 200) // asked a moment ago
	now = now.Add(writableFor)
	check("/readyz", 503)
	check("/livez", 200)
	if status, body := con.ask(t, "GET", "/v1/status"); status != 200 || !strings.Contains(body, `"ready":false`) || !strings.Contains(body, "is full") {
		t.Errorf("status got %d %s", status, body)
	}
	con.store.down, now = nil, now.Add(writableFor)
	check("/readyz", 200)
	draining = errors.New("shutting down")
	check("/readyz", 503)
}

func TestAnswers(t *testing.T) {
	con := open(t, nil)
	inc, req, del := disk.ID.String(), sent.ID.String(), paging.ID.String()
	tests := map[string]struct {
		method, path string
		status       int
		want         []string
	}{
		"status": {"GET", "/v1/status", 200, []string{
			`"ready":true`, `"integrations":1`, `"destinations_disabled":1`, `"plugins":2,"plugins_ready":1`,
			`"backlog":{"requests":1,"oldest_request_at":"2026-05-01T12:00:00.000Z","deliveries":2,"deliveries_parked":1}`,
		}},
		"integrations": {"GET", "/v1/integrations", 200, []string{`{"integrations":[{"id":"custom/scripts"`}},
		"an integration": {"GET", "/v1/integrations/custom/scripts", 200, []string{
			`"state":"active"`, `"url":"https://alerts.example/webhooks/{routingKey}"`, `"verification":"signature"`,
			`"keys":[{"id":"main"},{"id":"old","expires_at":"2026-05-01T12:00:00.000Z","expired":true}]`,
		}},
		"its health": {"GET", "/v1/integrations/custom/scripts/health", 200, []string{
			`"success_rate":0.75`, `"last_delivery_at":"2026-05-01T12:00:00.000Z"`, `"errors":[{"at":"2026-05-01T12:00:00.000Z","code":"SIGNATURE_INVALID"`,
		}},
		"a test":        {"POST", "/v1/integrations/custom/scripts/test", 200, []string{`"state":"done"`, `"incidents":["INC-042"]`}},
		"destinations":  {"GET", "/v1/destinations", 200, []string{`"id":"webhook/ops"`, `"active":false,"disabled":"exhausted"`}},
		"a destination": {"GET", "/v1/destinations/webhook/ops", 200, []string{`"failures":5`}},
		"without rate":  {"GET", "/v1/destinations/webhook/ops/health", 200, []string{`"success_rate":null`, `"errors":[]`}},
		"plugins":       {"GET", "/v1/plugins", 200, []string{`"name":"datadog"`, `"state":"backoff"`, `"exit":"signal: killed"`, `"last words"`, `"calls":{"timeout":7}`}},
		"incidents":     {"GET", "/v1/incidents", 200, []string{`{"incidents":[{"id":"INC-042","internal_id":"` + inc + `"`, `"next":""`}},
		"a full page":   {"GET", "/v1/incidents?limit=1", 200, []string{`"next":"` + inc + `"`}},
		"an incident":   {"GET", "/v1/incidents/INC-042", 200, []string{`"id":"INC-042"`, `"big":12345678901234567890`, `"timeline":[{"at":`, `"request":"` + req + `"`, `"versions":[{"number":1`, `"deliveries":[{"id":"` + del + `"`}},
		"by its number": {"GET", "/v1/incidents/42", 200, []string{`"id":"INC-042"`}},
		"requests":      {"GET", "/v1/requests", 200, []string{`"requests":[{"id":"` + req + `"`, `"source":"192.0.2.1"`}},
		"a request":     {"GET", "/v1/requests/" + req, 200, []string{`"body_base64":"eyJhIjoxff8="`}},
		"deliveries":    {"GET", "/v1/deliveries?incident=INC-042", 200, []string{`"message_id":"msg_` + del + `"`}},
		"a rehearsal": {"GET", "/v1/deliveries/" + del + "/request", 200, []string{
			`"url":"$URL"`, `"Authorization":["$AUTHORIZATION"]`, `"Webhook-Id":["msg_` + del + `"]`, `"proxy_url":"$PROXY_URL"`, `"own_ca":true,"client_certificate":true`,
		}},
		"with secrets":   {"GET", "/v1/deliveries/" + del + "/request?secrets=true", 200, []string{`https://hooks.example/secret`, `user:secret@proxy.example`}},
		"attempts":       {"GET", "/v1/deliveries/" + del + "/attempts", 200, []string{`"took_ms":1500,"status":503,"fault":"destination"`}},
		"no incident":    {"GET", "/v1/incidents/INC-7", 404, []string{`"NOT_FOUND"`}},
		"no name":        {"GET", "/v1/incidents/nonsense", 404, []string{`"NOT_FOUND"`}},
		"no request":     {"GET", "/v1/requests/nonsense", 404, []string{`"NOT_FOUND"`}},
		"no integration": {"GET", "/v1/integrations/custom/other", 404, []string{`"NOT_FOUND"`}},
		"no destination": {"GET", "/v1/destinations/webhook/other", 404, []string{`"NOT_FOUND"`}},
		"no such path":   {"GET", "/v1/nonsense", 404, []string{`"NOT_FOUND"`}},
		"bad limit":      {"GET", "/v1/incidents?limit=x", 400, []string{`"BAD_REQUEST"`, `"field":"limit"`}},
		"bad page":       {"GET", "/v1/incidents?before=x", 400, []string{`"field":"before"`}},
		"bad time":       {"GET", "/v1/requests?since=yesterday", 400, []string{`"field":"since"`}},
		"bad state":      {"GET", "/v1/requests?state=lost", 400, []string{`"field":"state"`, "quarantined"}},
		"bad severity":   {"GET", "/v1/incidents?severity=huge", 400, []string{`"field":"severity"`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			status, body := con.ask(t, tt.method, tt.path)
			if status != tt.status || !json.Valid([]byte(body)) {
				t.Errorf("got %d %s, want %d", status, body, tt.status)
			}
			for _, want := range tt.want {
				if !strings.Contains(body, want) {
					t.Errorf("%s isn't in %s", want, body)
				}
			}
			if strings.Contains(body, "a-secret-routing-key") || strings.Contains(body, "a-signing-secret") {
				t.Errorf("the answer shows a secret: %s", body)
			}
		})
	}
}

func TestFiltersReachTheStore(t *testing.T) {
	con := open(t, nil)
	con.ask(t, "GET", "/v1/incidents?integration=custom/scripts&status=resolved&severity=high&service=db&open=true&since=1h&limit=7&before="+disk.ID.String())
	want := core.IncidentFilter{
		Integration: "custom/scripts", Status: core.Resolved, Open: true, Severity: sdk.High, Service: "db",
		Since: noon.Add(-time.Hour), Page: core.Page{Before: disk.ID, Limit: 7},
	}
	if con.store.incidents != want {
		t.Errorf("incidents: got %+v, want %+v", con.store.incidents, want)
	}
	con.ask(t, "GET", "/v1/requests?integration=custom/scripts&state=quarantined&since=2026-05-01T00:00:00Z")
	if got, want := con.store.requests, (core.RequestFilter{Integration: "custom/scripts", State: core.RequestQuarantined, Since: noon.Add(-12 * time.Hour)}); got != want {
		t.Errorf("requests: got %+v, want %+v", got, want)
	}
	con.ask(t, "GET", "/v1/deliveries?destination=webhook/ops&state=dead&incident=42")
	if got, want := con.store.delivery, (core.DeliveryFilter{Destination: "webhook/ops", State: core.DeliveryDead, Incident: disk.ID}); got != want {
		t.Errorf("deliveries: got %+v, want %+v", got, want)
	}
}

func TestStoreFailuresAreOurs(t *testing.T) {
	con := open(t, nil)
	con.store.down = &core.Error{Code: core.StoreUnavailable, Message: "The store is not available", Err: errors.New("a detail")}
	for _, path := range []string{"/v1/incidents", "/v1/requests", "/v1/deliveries", "/v1/destinations", "/v1/integrations/custom/scripts/health"} {
		if status, body := con.ask(t, "GET", path); status != 503 || !strings.Contains(body, "STORE_UNAVAILABLE") || strings.Contains(body, "a detail") {
			t.Errorf("%s got %d %s", path, status, body)
		}
	}
}

func TestTimeSurvivesJSON(t *testing.T) {
	at := Time{noon.Add(123456 * time.Microsecond)}
	blob, err := json.Marshal(at)
	var back Time
	if err != nil || json.Unmarshal(blob, &back) != nil || !back.Equal(noon.Add(123*time.Millisecond)) {
		t.Errorf("%v became %s and %v", at, blob, back)
	}
}
