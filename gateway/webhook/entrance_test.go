package webhook

import (
	"encoding/json"
	"strings"
	"testing"

	"bellcrank.example/core"
	"bellcrank.example/core/keyring"
	"bellcrank.example/gateway/server"
	"bellcrank.example/sdk"
)

const vendorKey = "vendor-key-0123456789abcdef"

// openVendor opens a door for an integration whose vendor's clients look at
// the answer, and for those of the other tests.
func openVendor(t *testing.T) *front {
	t.Helper()
	in := &core.Integration{
		Tenant: 1, Type: "vendor", Name: "x", Limits: limits,
		Keys: []core.RoutingKey{{ID: "1", Value: core.NewSecret(vendorKey)}},
		Info: sdk.Info{
			Type: "vendor", Sender: sdk.Machine, Methods: []string{"POST", "PUT"},
			Accepted: &sdk.Reply{Status: 202, ContentType: "application/json", Body: []byte(`{"result":"ok","took":{{took}},"id":"{{receipt}}"}`)},
			Entrances: []sdk.Entrance{
				{Path: "/events", Method: "POST", KeyFrom: "body:routing_key", Accepted: &sdk.Reply{
					Status: 202, ContentType: "application/json", Body: []byte(`{"status":"success","key":"{{body.key | receipt}}"}`),
				}},
				{Path: "/things/{id}/close", Method: "POST", KeyFrom: "header:Authorization"},
				{Path: "/things/{id}", Method: "GET", Reply: &sdk.Reply{ContentType: "application/json", Body: []byte(`{"thing":"{{path.id}}","none":"{{body.x}}"}`)}},
			},
		},
	}
	table, err := keyring.New(keyring.Config{Integrations: append(integrations(), in)})
	if err != nil {
		t.Fatal(err)
	}
	return open(t, func(_ *server.Config, cfg *Config) { cfg.Keys = func() *keyring.Table { return table } })
}

func TestVendorsClientsAreAnsweredInTheirWords(t *testing.T) {
	f := openVendor(t)
	receipt := core.ID(4242 << 22).String()
	body := func(rest string) string { return `{"routing_key":"` + vendorKey + `"` + rest + `}` }
	for name, tt := range map[string]struct{ body, want string }{
		"a member of the body":       {body(`,"key":"disk"`), `{"status":"success","key":"disk"}`},
		"a number as written":        {body(`,"key":12345678901234567890`), `{"status":"success","key":"12345678901234567890"}`},
		"the first of two":           {body(`,"key":"a","key":"b"`), `{"status":"success","key":"a"}`},
		"the receipt without one":    {body(``), `{"status":"success","key":"` + receipt + `"}`},
		"the receipt if it is empty": {body(`,"key":""`), `{"status":"success","key":"` + receipt + `"}`},
		"the receipt if it is odd":   {body(`,"key":["x"]`), `{"status":"success","key":"` + receipt + `"}`},
		"text that needs escapes":    {body(`,"key":"a\"b\\{{receipt}}\n<é"`), `{"status":"success","key":"a\"b\\{{receipt}}\n\u003cé"}`},
	} {
		got := f.send(t, "POST", "/events", strings.NewReader(tt.body))
		if got.status != 202 || got.body != tt.want || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s, want 202 %s", name, got.status, got.body, tt.want)
		}
	}
	got := f.send(t, "PUT", "/webhooks/"+vendorKey, strings.NewReader(`{}`))
	var said struct {
		Result, ID string
		Took       float64
	}
	if err := json.Unmarshal([]byte(got.body), &said); err != nil || got.status != 202 || said.Result != "ok" || said.ID != receipt {
		t.Errorf("by the key in the path: %d %s (%v), want the adapter's own answer", got.status, got.body, err)
	}
}

// A client that learns no key of its problem could never end it: the answer
// is the same while the adapter is away.
func TestAnswerDoesNotDependOnTheAdapter(t *testing.T) {
	f := openVendor(t)
	for _, state := range []core.RequestState{core.RequestOpen, core.RequestHeld, core.RequestQuarantined, core.RequestIgnored, core.RequestDone} {
		f.inbox.answer = func(*core.Request) (core.Receipt, error) { return core.Receipt{Request: 4242 << 22, State: state}, nil }
		got := f.send(t, "POST", "/events", strings.NewReader(`{"routing_key":"`+vendorKey+`","key":"disk"}`))
		if want := `{"status":"success","key":"disk"}`; got.status != 202 || got.body != want {
			t.Errorf("%s: %d %s, want 202 %s", state, got.status, got.body, want)
		}
	}
	f.inbox.answer = func(*core.Request) (core.Receipt, error) {
		return core.Receipt{}, &core.Error{Code: core.StoreUnavailable, Message: "x"}
	}
	if got := f.send(t, "POST", "/events", strings.NewReader(`{"routing_key":"`+vendorKey+`"}`)); got.status != 503 {
		t.Errorf("nothing is stored, but the answer is %d %s", got.status, got.body)
	}
}

func TestPathWithNamesIsHandedOnAsItCame(t *testing.T) {
	f := openVendor(t)
	got := f.send(t, "POST", "/things/host%2Fdisk/close?by=alias", strings.NewReader(`{}`), "Authorization", "GenieKey "+vendorKey)
	if got.status != 202 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if r, _ := f.inbox.last(t); r.Path != "things/host%2Fdisk/close" || r.Query != "by=alias" || r.Header.Get("Authorization") != "" {
		t.Errorf("path %q, query %q, header %v; want those of the request, without the key", r.Path, r.Query, r.Header)
	}
	if got := f.send(t, "GET", "/things/a%22b", nil); got.status != 200 || got.body != `{"thing":"a\"b","none":""}` {
		t.Errorf("constant answer: %d %s", got.status, got.body)
	}
}

func TestEntranceIsForItsOwnIntegrationsOnly(t *testing.T) {
	f := openVendor(t)
	for _, key := range []string{customKey, machineKey, "nobody-has-this-routing-key"} {
		if got := f.send(t, "POST", "/events", strings.NewReader(`{"routing_key":"`+key+`"}`)); got.status != 404 {
			t.Errorf("key of another type: %d %s, want 404", got.status, got.body)
		}
	}
	if n := f.inbox.count(); n > 0 {
		t.Errorf("%d requests were accepted", n)
	}
}

func TestKeysInBodiesAreNotStored(t *testing.T) {
	f := openVendor(t)
	const theirs = "R0123456789ABCDEF0123456789ABCDE"
	f.post(t, vendorKey, `{"routing_key":"`+theirs+`","note":"`+theirs+`"}`)
	if r, decoded := f.inbox.last(t); strings.Contains(string(r.Body)+string(decoded), theirs) || !json.Valid(r.Body) {
		t.Errorf("stored %s", r.Body)
	}
	f.post(t, vendorKey, `{"routing_key":"********************"}`) // and the search has an end
	f.post(t, vendorKey, `{"routing_key":"short","note":"short"}`)
	if r, _ := f.inbox.last(t); !strings.Contains(string(r.Body), `"note":"short"`) {
		t.Errorf("stored %s, want what is no key as sent", r.Body)
	}
}

func FuzzFill(f *testing.F) {
	f.Add([]byte(`{"a":"{{receipt}}"}`), "x")
	f.Add([]byte(`{{`), "}}")
	f.Add([]byte(`"{{x}}{{y}}"`), "\"\\\u2028\xff")
	f.Fuzz(func(t *testing.T, template []byte, value string) {
		out := fill(template, func(string) string { return value })
		plain := fill(template, func(string) string { return "" })
		if json.Valid(plain) && strings.Contains(string(template), `"{{x}}"`) && !json.Valid(out) {
			t.Errorf("%q breaks the JSON of %q: %q", value, template, out)
		}
	})
}
