package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"bellcrank.example/sdk"
)

func typeNamed(t *testing.T, name string) destination {
	t.Helper()
	for _, d := range types() {
		if d.info.Type == name {
			return d
		}
	}
	t.Fatalf("there is no type %s", name)
	return destination{}
}

// change is one of an incident, with the settings of the type's example and
// others over them.
func change(t *testing.T, kind string, more map[string]any) sdk.Delivery {
	t.Helper()
	settings := map[string]any{}
	if err := json.Unmarshal([]byte(examples[kind]), &settings); err != nil {
		t.Fatal(err)
	}
	for name, value := range more {
		settings[name] = value
	}
	object, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	return sdk.Delivery{
		ID: "msg_1", Destination: kind + "/a", Kind: "created", Attempt: 1, Headline: "[INC-042] High: Disk full", Settings: object,
		Incident: sdk.Incident{
			ID: "INC-042", UID: "7", Title: "Disk full", Description: "98 % of /var", Severity: sdk.High, Status: "investigating",
			Service: "db", URL: "https://bellcrank.example/incidents/INC-042", OpenedAt: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC),
		},
	}
}

// asked is the request that a delivery asks for.
func asked(t *testing.T, kind string, d sdk.Delivery) sdk.HTTPRequest {
	t.Helper()
	step, err := typeNamed(t, kind).Deliver(t.Context(), d)
	if err != nil || step.Request == nil {
		t.Fatalf("%s: step %+v, %v; want a request", kind, step, err)
	}
	return *step.Request
}

func ended(t *testing.T, kind string, d sdk.Delivery) sdk.Outcome {
	t.Helper()
	step, err := typeNamed(t, kind).Deliver(t.Context(), d)
	if err != nil || step.Outcome == nil {
		t.Fatalf("%s: step %+v, %v; want an outcome", kind, step, err)
	}
	return *step.Outcome
}

func TestTheURLIsThatOfTheSettings(t *testing.T) {
	for kind, want := range map[string]string{
		"incidentio": "https://api.incident.io/v2/alert_events/alertmanager/01ABC",
		"jira":       "https://acme.atlassian.net/rest/api/3/search/jql",
		"pushover":   "https://api.pushover.net/1/messages.json",
		"rocketchat": "https://chat.example/api/v1/chat.postMessage",
		"victorops":  "https://alert.victorops.com/integrations/generic/20131114/alert/s3cr3t/database",
		"webex":      "https://webexapis.com/v1/messages",
		"wechat":     "https://qyapi.weixin.qq.com/cgi-bin/gettoken?corpid=c1&corpsecret=s3cr3t",
	} {
		r := asked(t, kind, change(t, kind, nil))
		if r.URL != want {
			t.Errorf("%s asks %s, want %s", kind, r.URL, want)
		}
		if agent := r.Header.Get("User-Agent"); agent != "" || r.Header.Get("Connection") != "" {
			t.Errorf("%s: headers %v, want none of the connection and no agent", kind, r.Header)
		}
	}
	for given, want := range map[string]string{
		"http://chat.example:3000/base": "http://chat.example:3000/base/api/v1/chat.postMessage",
		"https://chat.example:443":      "https://chat.example:443/api/v1/chat.postMessage",
	} {
		if r := asked(t, "rocketchat", change(t, "rocketchat", map[string]any{"url": given})); r.URL != want {
			t.Errorf("%s asks %s, want %s", given, r.URL, want)
		}
	}
}

func TestSettingsThatCannotWorkAreNamed(t *testing.T) {
	tests := map[string]struct {
		kind string
		more map[string]any
		want string
	}{
		"no URL":                  {"incidentio", map[string]any{"url": "s3cr3t"}, "url must be"},
		"a URL with a user":       {"rocketchat", map[string]any{"url": "https://a:s3cr3t@chat.example"}, "url must be"},
		"a white token":           {"webex", map[string]any{"token": " "}, "token must not be empty"},
		"an odd priority":         {"pushover", map[string]any{"priorities": map[string]string{"High": "3"}}, "priorities: \"3\""},
		"an odd severity":         {"pushover", map[string]any{"priorities": map[string]string{"Loud": "1"}}, "priorities: \"Loud\""},
		"too often":               {"pushover", map[string]any{"retry": "5s"}, "retry must be"},
		"too long":                {"pushover", map[string]any{"expire": "1d"}, "expire must be"},
		"no time":                 {"jira", map[string]any{"reopen_duration": "soon"}, "reopen_duration must be"},
		"a label of two words":    {"jira", map[string]any{"labels": []string{"a b"}}, "labels: \"a b\""},
		"a template in a field":   {"jira", map[string]any{"fields": map[string]string{"x": "{{ .A }}"}}, "fields: x"},
		"nobody is told":          {"wechat", map[string]any{"to_user": ""}, "to_user"},
		"an odd message type":     {"victorops", map[string]any{"message_types": map[string]string{"High": "RECOVERY"}}, "message_types: \"RECOVERY\""},
		"a field of the protocol": {"victorops", map[string]any{"fields": map[string]string{"entity_id": "x"}}, "fields: \"entity_id\""},
		"a key that is a path":    {"victorops", map[string]any{"routing_key": "a/b"}, "routing_key"},
	}
	for name, tt := range tests {
		_, err := typeNamed(t, tt.kind).Deliver(t.Context(), change(t, tt.kind, tt.more))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: error %v, want one that begins with %s and repeats no secret", name, err, tt.want)
		}
	}
}

// TestNobodysTextIsATemplate has Alertmanager's kind of template in everything.
func TestNobodysTextIsATemplate(t *testing.T) {
	const text = "{{ .Labels }} {{ template \"x\" }} \"`{{/*"
	for kind := range examples {
		d := change(t, kind, nil)
		d.Incident.Title, d.Incident.Description, d.Incident.Service, d.Headline = text, text, text, text
		d.Incident.Labels = map[string]string{text: text}
		d.Texts = map[string]string{"title": text, "text": text}
		for range 2 { // two types ask for something else first
			if kind == "wechat" || kind == "jira" {
				d.Answers = []sdk.HTTPAnswer{{Status: 200, Body: []byte(`{"issues":[],"access_token":"x"}`)}}
			}
		}
		r := asked(t, kind, d)
		body := string(r.Body)
		if kind == "pushover" {
			body, _ = url.QueryUnescape(body)
		}
		if !strings.Contains(body, ".Labels }}") {
			t.Errorf("%s: the text isn't in %.300s", kind, r.Body)
		}
	}
	d := change(t, "victorops", map[string]any{"routing_key": "{{ .Receiver }}"})
	if r := asked(t, "victorops", d); !strings.Contains(r.URL, "%7B%7B") {
		t.Errorf("the routing key became %s", r.URL)
	}
}

// TestTextsOfAnySizeAreSent includes those with few characters of many bytes,
// at which a notifier that counts bytes would panic.
func TestTextsOfAnySizeAreSent(t *testing.T) {
	for kind := range examples {
		for _, text := range []string{strings.Repeat("ディスク", 4000), strings.Repeat("a", 100_000), strings.Repeat("\xff\x00\n", 5000)} {
			d := change(t, kind, nil)
			d.Incident.Title, d.Incident.Description, d.Headline, d.Note = text, text, text, text
			if kind == "wechat" || kind == "jira" {
				d.Answers = []sdk.HTTPAnswer{{Status: 200, Body: []byte(`{"issues":[],"access_token":"x"}`)}}
			}
			if r := asked(t, kind, d); len(r.Body) > 64<<10 || !utf8.Valid(r.Body) {
				t.Errorf("%s: a body of %d bytes, valid %v", kind, len(r.Body), utf8.Valid(r.Body))
			}
		}
	}
}

func TestASendersTextCallsNobody(t *testing.T) {
	const text = "@all @Here <@all> <@personEmail:a@b.example> [x](http://evil.example) [~admin] *b*"
	for kind, escaped := range map[string][]string{
		"rocketchat": {"@\u2060all", "@\u2060Here", `\[x\]`, `\*b\*`},
		"webex":      {"&lt;@\u2060all&gt;", "&lt;@personEmail", `\[x\]`, `\*b\*`},
		"wechat":     {"‹@\u2060all›"},
	} {
		d := change(t, kind, nil)
		d.Incident.Description = text
		if kind == "wechat" {
			d.Answers = []sdk.HTTPAnswer{{Status: 200, Body: []byte(`{"access_token":"x"}`)}}
		}
		var shown strings.Builder
		e := json.NewEncoder(&shown)
		e.SetEscapeHTML(false)
		var body any
		if err := json.Unmarshal(asked(t, kind, d).Body, &body); err != nil || e.Encode(body) != nil {
			t.Fatal(err)
		}
		for _, want := range escaped {
			if want = strings.ReplaceAll(want, `\`, `\\`); !strings.Contains(shown.String(), want) {
				t.Errorf("%s: %q isn't in %s", kind, want, shown.String())
			}
		}
	}
	d := change(t, "jira", map[string]any{"url": "https://jira.example", "username": ""})
	d.Incident.Description, d.Answers = text, []sdk.HTTPAnswer{{Status: 200, Body: []byte(`{"issues":[]}`)}}
	if body := string(asked(t, "jira", d).Body); !strings.Contains(body, `\\[\\~admin\\]`) {
		t.Errorf("jira: %s mentions somebody", body)
	}
}

func TestAnOperatorsTextsAreUsed(t *testing.T) {
	for kind := range examples {
		d := change(t, kind, nil)
		d.Texts = map[string]string{"title": "OURTITLE", "text": "OURTEXT"}
		if kind == "wechat" || kind == "jira" {
			d.Answers = []sdk.HTTPAnswer{{Status: 200, Body: []byte(`{"issues":[],"access_token":"x"}`)}}
		}
		body := string(asked(t, kind, d).Body)
		if !strings.Contains(body, "OURTITLE") || !strings.Contains(body, "OURTEXT") || strings.Contains(body, "98 %") {
			t.Errorf("%s: %s", kind, body)
		}
	}
}

// TestJiraInTheCloudTakesADocument also has who it is that asks.
func TestJiraInTheCloudTakesADocument(t *testing.T) {
	d := change(t, "jira", nil)
	d.Incident.Description, d.Author, d.Note = "one\n\ntwo", "anna", "on it"
	d.Answers = []sdk.HTTPAnswer{{Status: 200, Body: []byte(`{"issues":[]}`)}}
	r := asked(t, "jira", d)
	for _, want := range []string{
		`"description":{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"anna: on it"}]},`,
		`[{"type":"text","text":"one"}]`, `"text":"severity: High"`, `"summary":"INC-042 Disk full"`,
	} {
		if !strings.Contains(string(r.Body), want) {
			t.Errorf("%s isn't in %s", want, r.Body)
		}
	}
	if who := r.Header.Get("Authorization"); !strings.HasPrefix(who, "Basic ") {
		t.Errorf("authorization %q, want basic", who)
	}
}

func TestAResolvedIncidentWithoutAnIssueMakesNone(t *testing.T) {
	d := change(t, "jira", nil)
	d.Kind, d.Incident.Status = "resolved", "resolved"
	d.Answers = []sdk.HTTPAnswer{{Status: 200, Body: []byte(`{"issues":[]}`)}}
	if o := ended(t, "jira", d); o.Class != sdk.Delivered {
		t.Errorf("%+v, want delivered", o)
	}
}

func TestWhatATargetSaysInA200(t *testing.T) {
	tests := map[string]struct {
		kind, body string
		want       sdk.OutcomeClass
		wait       time.Duration
	}{
		"wechat took it":             {"wechat", `{"errcode":0}`, sdk.Delivered, 0},
		"wechat has had enough":      {"wechat", `{"errcode":45009,"errmsg":"api freq out of limit"}`, sdk.Retry, time.Minute},
		"wechat dislikes the text":   {"wechat", `{"errcode":45002,"errmsg":"content size out of limit"}`, sdk.Refused, 0},
		"wechat forgot the token":    {"wechat", `{"errcode":42001,"errmsg":"access_token expired"}`, sdk.Retry, 0},
		"something else answers":     {"wechat", `<html>`, sdk.Retry, 0},
		"rocketchat took it":         {"rocketchat", `{"success":true}`, sdk.Delivered, 0},
		"rocketchat dislikes it":     {"rocketchat", `{"success":false,"error":"no"}`, sdk.Refused, 0},
		"rocketchat's long answer":   {"rocketchat", `{"message":{"a":"` + strings.Repeat("x", 16<<10), sdk.Delivered, 0},
		"a proxy's page":             {"rocketchat", `<html>`, sdk.Retry, 0},
		"pushover's word is a 200":   {"pushover", `anything`, sdk.Delivered, 0},
		"a search that is no answer": {"jira", `<html>`, sdk.Retry, 0},
	}
	for name, tt := range tests {
		d := change(t, tt.kind, nil)
		if tt.kind == "wechat" {
			d.Answers = append(d.Answers, sdk.HTTPAnswer{Status: 200, Body: []byte(`{"access_token":"x"}`)})
		}
		d.Answers = append(d.Answers, sdk.HTTPAnswer{Status: 200, Body: []byte(tt.body)})
		o := ended(t, tt.kind, d)
		if o.Class != tt.want || o.RetryAfter != tt.wait || (o.Message == "") != (tt.want == sdk.Delivered) {
			t.Errorf("%s: %+v, want %s and a wait of %v", name, o, tt.want, tt.wait)
		}
	}
}

// TestTheWrongSecretIsTheDestinationsFault: all other messages would be
// refused as well.
func TestTheWrongSecretIsTheDestinationsFault(t *testing.T) {
	d := change(t, "wechat", nil)
	d.Answers = []sdk.HTTPAnswer{{Status: 200, Body: []byte(`{"errcode":40001,"errmsg":"invalid credential"}`)}}
	if o := ended(t, "wechat", d); o.Class != sdk.Retry || !strings.Contains(o.Message, "40001") {
		t.Errorf("%+v, want a retry", o)
	}
}

func TestThrottlingIsNeverFinal(t *testing.T) {
	for kind := range examples {
		d := change(t, kind, nil)
		d.Answers = []sdk.HTTPAnswer{{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"30"}}, Body: []byte("slow down")}}
		if o := ended(t, kind, d); o.Class != sdk.Retry || o.RetryAfter != 30*time.Second {
			t.Errorf("%s: %+v, want a retry after 30s", kind, o)
		}
	}
}

func TestWhoAcknowledgedIsTold(t *testing.T) {
	d := change(t, "victorops", nil)
	d.Kind, d.Incident.Status, d.Author, d.Note = "acknowledged", "acknowledged", "anna", "on it"
	body := string(asked(t, "victorops", d).Body)
	for _, want := range []string{`"message_type":"ACKNOWLEDGEMENT"`, `"ack_author":"anna"`, `"ack_msg":"on it"`} {
		if !strings.Contains(body, want) {
			t.Errorf("%s isn't in %s", want, body)
		}
	}
}

func TestSeveritiesHaveTheVendorsWords(t *testing.T) {
	tests := map[sdk.Severity]string{sdk.Critical: "2 CRITICAL", sdk.High: "1 CRITICAL", sdk.Medium: "0 WARNING", sdk.Low: "-1 INFO", sdk.PreEmptive: "-1 INFO"}
	for severity, want := range tests {
		p, v := change(t, "pushover", nil), change(t, "victorops", nil)
		p.Incident.Severity, v.Incident.Severity = severity, severity
		form, err := url.ParseQuery(string(asked(t, "pushover", p).Body))
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Type string `json:"message_type"`
		}
		if err := json.Unmarshal(asked(t, "victorops", v).Body, &body); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(form.Get("priority"), " ", body.Type); got != want {
			t.Errorf("%s: %s, want %s", severity, got, want)
		}
	}
	p := change(t, "pushover", map[string]any{"priorities": map[string]string{"high": "2"}})
	if body := string(asked(t, "pushover", p).Body); !strings.Contains(body, "priority=2") {
		t.Errorf("the operator's priority isn't in %s", body)
	}
}
