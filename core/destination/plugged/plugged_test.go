package plugged

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
	"bellcrank.example/sdk"
)

// script is a plugin that goes by what it has heard.
type script func(d sdk.Delivery) (sdk.Step, error)

// Deliver answers.
func (s script) Deliver(_ context.Context, plugin string, d sdk.Delivery) (sdk.Step, error) {
	if plugin != "acme" || d.Destination != "acme/one" || d.ID != "msg_1" || string(d.Settings) != `{"a":1}` || d.Incident.Title != "Disk full" {
		return sdk.Step{}, errors.New("asked for something else")
	}
	return s(d)
}

func outcome(o sdk.Outcome) (sdk.Step, error) { return sdk.Step{Outcome: &o}, nil }

// post asks for one request, and makes of its answer what end does.
func post(url string, end func(sdk.HTTPAnswer) (sdk.Step, error)) script {
	return func(d sdk.Delivery) (sdk.Step, error) {
		if len(d.Answers) == 0 {
			return sdk.AskJSON(url+"/x", http.Header{"X-Token": {"s3cr3t"}}, map[string]string{"id": d.ID})
		}
		return end(d.Answers[len(d.Answers)-1])
	}
}

func message() core.Message {
	return core.Message{ID: "msg_1", Destination: "acme/one", Kind: core.Created, Attempt: 1, Incident: &core.Incident{Number: 1, Title: "Disk full", Version: 1}}
}

func sender(t *testing.T, plugins Plugins, allowed ...netip.Prefix) *Sender {
	t.Helper()
	port := &Port{}
	s, err := New(port, nil, core.SenderConfig{Plugin: "acme", Settings: []byte(`{"a":1,"connect_timeout":"3s"}`), AllowedCIDRs: allowed})
	if err != nil {
		t.Fatal(err)
	}
	if plugins != nil {
		port.Connect(plugins)
	}
	t.Cleanup(s.client.Close)
	return s
}

func loopback() netip.Prefix { return netip.MustParsePrefix("127.0.0.0/8") }

// TestHowAnAttemptEnds has a plugin and a target in every mood.
func TestHowAnAttemptEnds(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(code)
		}
	}
	usual := func(a sdk.HTTPAnswer) (sdk.Step, error) { return sdk.Ended(a), nil }
	tests := map[string]struct {
		target http.HandlerFunc
		end    func(sdk.HTTPAnswer) (sdk.Step, error)
		class  core.FaultClass
		wait   time.Duration
		says   string
	}{
		"delivered":    {status(201), usual, core.NoFault, 0, ""},
		"down":         {status(500), usual, core.DestinationFault, 0, "500 Internal Server Error"},
		"asks to wait": {status(429), usual, core.Throttled, 7 * time.Second, "429"},
		"asks to wait, the plugin doesn't say how long": {status(429), func(sdk.HTTPAnswer) (sdk.Step, error) {
			return outcome(sdk.Outcome{Class: sdk.Retry, Message: "busy"})
		}, core.Throttled, 7 * time.Second, "busy"},
		"gone for ever": {status(410), usual, core.Gone, 0, "410"},
		"refused":       {status(422), usual, core.DeliveryFault, 0, "422"},
		"there already": {status(409), func(sdk.HTTPAnswer) (sdk.Step, error) { return outcome(sdk.Outcome{Class: sdk.Delivered}) }, core.NoFault, 0, ""},
		"no success in it": {status(200), func(sdk.HTTPAnswer) (sdk.Step, error) {
			return outcome(sdk.Outcome{Class: sdk.Refused, Message: "bad\ncolour"})
		}, core.DeliveryFault, 0, "bad colour"},
		"asks without end": {status(200), func(sdk.HTTPAnswer) (sdk.Step, error) {
			return sdk.Ask(sdk.HTTPRequest{URL: "http://127.0.0.1:1/"}), nil
		}, core.DestinationFault, 0, ""},
		"fails": {status(200), func(sdk.HTTPAnswer) (sdk.Step, error) { return sdk.Step{}, errors.New("crashed") }, core.DestinationFault, 0, "the plugin: crashed"},
		"an odd URL": {status(200), func(sdk.HTTPAnswer) (sdk.Step, error) {
			return sdk.Ask(sdk.HTTPRequest{URL: "file:///etc/passwd"}), nil
		}, core.DestinationFault, 0, "absolute http or https"},
		"an odd method": {status(200), func(sdk.HTTPAnswer) (sdk.Step, error) {
			return sdk.Ask(sdk.HTTPRequest{Method: "A B", URL: "http://127.0.0.1/s3cr3t"}), nil
		}, core.DestinationFault, 0, "can't be used"},
		"remembers too much": {status(200), func(sdk.HTTPAnswer) (sdk.Step, error) {
			return outcome(sdk.Outcome{Class: sdk.Delivered, Remember: strings.Repeat("x", 5000)})
		}, core.DestinationFault, 0, "remembered"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			target := httptest.NewServer(tt.target)
			defer target.Close()
			a := sender(t, post(target.URL, tt.end), loopback()).Send(t.Context(), message())
			class, wait := a.Classify(time.Now())
			if class != tt.class || wait != tt.wait {
				t.Errorf("class %q, wait %v; want %q, %v (%v)", class, wait, tt.class, tt.wait, a.Err)
			}
			if (a.Err == nil) != (tt.class == core.NoFault) || a.Err != nil && (!strings.Contains(a.Err.Error(), tt.says) || strings.Contains(a.Err.Error(), "s3cr3t")) {
				t.Errorf("error %v, want %q in it and no secret", a.Err, tt.says)
			}
		})
	}
}

func TestAnAttemptHasFewRequests(t *testing.T) {
	requests := 0
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ }))
	defer target.Close()
	again := func(sdk.HTTPAnswer) (sdk.Step, error) { return sdk.Ask(sdk.HTTPRequest{URL: target.URL}), nil }
	a := sender(t, post(target.URL, again), loopback()).Send(t.Context(), message())
	if class, _ := a.Classify(time.Now()); class != core.DestinationFault || requests != maxRequests {
		t.Errorf("class %q after %d requests, want a fault after %d", class, requests, maxRequests)
	}
}

func TestOnlyAllowedAddressesAreDialled(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was dialled") }))
	defer target.Close()
	a := sender(t, post(target.URL, nil)).Send(t.Context(), message())
	if class, _ := a.Classify(time.Now()); class != core.DestinationFault || a.Err == nil {
		t.Errorf("class %q, error %v; want a fault", class, a.Err)
	}
}

func TestWithoutPluginsNothingIsLost(t *testing.T) {
	a := sender(t, nil).Send(t.Context(), message())
	if class, _ := a.Classify(time.Now()); class != core.DestinationFault || a.Err == nil {
		t.Errorf("class %q, error %v; want a fault", class, a.Err)
	}
}

func TestTheFirstRequestIsShown(t *testing.T) {
	ctx, rehearsal := core.Rehearse(t.Context())
	sender(t, post("https://target.example", nil)).Send(ctx, message())
	if r := rehearsal.Request; r == nil || r.URL.String() != "https://target.example/x" || r.Header.Get("X-Token") != "s3cr3t" {
		t.Errorf("request %v", r)
	}
	done := script(func(sdk.Delivery) (sdk.Step, error) { return outcome(sdk.Outcome{Class: sdk.Delivered}) })
	ctx, rehearsal = core.Rehearse(t.Context())
	if sender(t, done).Send(ctx, message()); rehearsal.Request != nil {
		t.Error("a request is shown where none is made")
	}
}

func TestWhatIsRememberedComesBack(t *testing.T) {
	s := sender(t, script(func(d sdk.Delivery) (sdk.Step, error) {
		return outcome(sdk.Outcome{Class: sdk.Delivered, Remember: d.Memory + "+1"})
	}))
	m := message()
	m.Memory = "7"
	if a := s.Send(t.Context(), m); a.Remember != "7+1" {
		t.Errorf("remembers %q, want 7+1", a.Remember)
	}
}

func TestTheOperatorsTextsAreRenderedForThePlugin(t *testing.T) {
	port := &Port{}
	s, err := New(port, nil, core.SenderConfig{Plugin: "acme", Settings: []byte(`{"a":1}`), Templates: map[string]core.Template{
		"title":  func(m core.Message) (string, error) { return "about " + m.Incident.Title, nil },
		"text":   func(core.Message) (string, error) { return "", errors.New("no such label") },
		"footer": func(core.Message) (string, error) { return "", nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	port.Connect(script(func(d sdk.Delivery) (sdk.Step, error) {
		if len(d.Texts) != 1 || d.Texts["title"] != "about Disk full" || d.Headline != "[INC-001] : Disk full" {
			t.Errorf("texts %q, headline %q", d.Texts, d.Headline)
		}
		return outcome(sdk.Outcome{Class: sdk.Delivered})
	}))
	if a := s.Send(t.Context(), message()); a.Err != nil {
		t.Errorf("a text that fails costs the delivery: %v", a.Err)
	}
}

func TestAnIncidentOfAnySizeIsTold(t *testing.T) {
	s := sender(t, script(func(d sdk.Delivery) (sdk.Step, error) {
		encoded, err := json.Marshal(d.Incident)
		if err != nil || len(encoded) > maxIncident+1<<20 || len(d.Incident.Labels) == 0 {
			t.Errorf("%d bytes, %d labels, %v", len(encoded), len(d.Incident.Labels), err)
		}
		return outcome(sdk.Outcome{Class: sdk.Delivered})
	}))
	m := destinationtest.Hostile()
	m.ID, m.Destination, m.Incident.Title = "msg_1", "acme/one", "Disk full"
	if a := s.Send(t.Context(), m); a.Err != nil {
		t.Errorf("%+v", a)
	}
}

func TestHowTheTargetIsReachedIsTheGatewaysBusiness(t *testing.T) {
	proxied := false
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { proxied = r.URL.Host == "192.0.2.1" }))
	defer proxy.Close()
	port := &Port{}
	settings := core.SenderConfig{
		Plugin: "acme", AllowedCIDRs: []netip.Prefix{loopback(), netip.MustParsePrefix("192.0.2.0/24")},
		Settings: []byte(`{"a":1,"proxy_url":"` + proxy.URL + `"}`),
	}
	s, err := New(port, nil, settings)
	if err != nil {
		t.Fatal(err)
	}
	port.Connect(post("http://192.0.2.1", func(a sdk.HTTPAnswer) (sdk.Step, error) { return sdk.Ended(a), nil }))
	if a := s.Send(t.Context(), message()); a.Err != nil || !proxied {
		t.Errorf("answer %+v, by the proxy: %v", a, proxied)
	}
	settings.Settings = []byte(`{"ca":"none"}`)
	if _, err := New(port, nil, settings); err == nil || !strings.HasPrefix(err.Error(), "ca ") {
		t.Errorf("a broken ca: %v", err)
	}
	theirs := []sdk.Setting{{Name: "proxy_url"}}
	for _, s := range Ours(theirs) {
		if s.Name == "proxy_url" {
			t.Error("a plugin's own setting is taken from it")
		}
	}
}
