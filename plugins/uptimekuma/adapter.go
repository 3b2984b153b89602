package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/plugins/internal/loose"
	"bellcrank.example/sdk"
)

// notification is what Uptime Kuma sends, from its webhook.js and monitor.js.
// Heartbeat and monitor are null for what concerns no heartbeat: a test, or
// something that expires.
type notification struct {
	Msg       loose.Text `json:"msg"`
	Heartbeat struct {
		MonitorID loose.Text `json:"monitorID"`
		Status    loose.Text `json:"status"` // 0 down, 1 up, 2 pending, 3 maintenance
		Time      loose.Text `json:"time"`   // UTC, without saying so
		Msg       loose.Text `json:"msg"`
		Ping      loose.Text `json:"ping"`
	} `json:"heartbeat"`
	Monitor struct {
		ID       loose.Text                      `json:"id"`
		Name     loose.Text                      `json:"name"`
		Path     loose.Text                      `json:"pathName"` // with the groups it is in
		URL      loose.Text                      `json:"url"`
		Hostname loose.Text                      `json:"hostname"`
		Port     loose.Text                      `json:"port"`
		Type     loose.Text                      `json:"type"`
		Tags     loose.Value[[]loose.Value[tag]] `json:"tags"`
	} `json:"monitor"`
}

type tag struct {
	Name  loose.Text `json:"name"`
	Value loose.Text `json:"value"`
}

type adapter struct{}

// Adapt makes one event of a notification.
func (adapter) Adapt(_ context.Context, r sdk.Request) (sdk.Result, error) {
	members, err := read(r)
	if err != nil {
		return sdk.Result{}, err
	}
	n := decode(members)
	words := sdk.Line(string(n.Msg))
	switch {
	case n.monitor() != "":
		return n.result(), nil
	case words != "":
		return sdk.Result{Events: []sdk.Event{message(words)}}, nil
	}
	return own(members)
}

// read takes the members out of a body, a form, or the query of a GET.
func read(r sdk.Request) (flat.Members, error) {
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // what can't be read is JSON
	switch {
	case len(bytes.TrimSpace(r.Body)) == 0:
		return fromQuery(r.Query)
	case kind == "multipart/form-data":
		return fromForm(r.Body, params["boundary"])
	}
	return flat.Parse(r.Body)
}

// fromQuery reads what a GET carries: heartbeat and monitor are JSON in text.
func fromQuery(query url.Values) (flat.Members, error) {
	members := flat.Members{}
	for _, name := range []string{"msg", "heartbeat", "monitor"} {
		value := query.Get(name)
		if name == "msg" || !json.Valid([]byte(value)) {
			value = quoted(value)
		}
		members[name] = json.RawMessage(value)
	}
	if query.Get("msg") == "" {
		return nil, &sdk.Failure{Code: sdk.Malformed, Path: "msg", Message: "neither a body nor a message in the query"}
	}
	return members, nil
}

func quoted(s string) string {
	encoded, _ := json.Marshal(s) // a string always has an encoding
	return string(encoded)
}

// fromForm reads the field "data" of a form, which holds the JSON body.
func fromForm(body []byte, boundary string) (flat.Members, error) {
	form := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, &sdk.Failure{Code: sdk.Malformed, Path: "data", Message: "the form has no field data"}
		}
		if err != nil {
			return nil, &sdk.Failure{Code: sdk.Malformed, Message: "the form is broken"}
		}
		if part.FormName() != "data" {
			continue
		}
		data, err := io.ReadAll(part) // no longer than the body
		if err != nil {
			return nil, &sdk.Failure{Code: sdk.Malformed, Path: "data", Message: "the form ends too early"}
		}
		return flat.Parse(data)
	}
}

// decode reads the members; those that are of another kind stay empty.
func decode(m flat.Members) notification {
	var n notification
	_ = json.Unmarshal(orNull(m["msg"]), &n.Msg)
	_ = json.Unmarshal(orNull(m["heartbeat"]), &n.Heartbeat)
	_ = json.Unmarshal(orNull(m["monitor"]), &n.Monitor)
	return n
}

func orNull(raw json.RawMessage) []byte {
	if raw == nil {
		return []byte("null")
	}
	return raw
}

// monitor identifies the monitor: its name may be changed, its id not.
func (n *notification) monitor() string {
	if id := loose.First(n.Monitor.ID, n.Heartbeat.MonitorID); id != "" {
		return "monitor:" + id
	}
	if name := loose.First(n.Monitor.Name); name != "" {
		return "name:" + name
	}
	return ""
}

func (n *notification) result() sdk.Result {
	action, ignored := n.action()
	if ignored != "" {
		return sdk.Result{Ignored: ignored}
	}
	name := sdk.Line(loose.First(n.Monitor.Name, "Monitor "+n.Monitor.ID+n.Heartbeat.MonitorID))
	e := sdk.Event{
		Action: action, DedupKey: n.monitor(), IdentityRule: "monitor",
		Title:       name + " is down",
		Description: loose.First(n.Heartbeat.Msg, n.Msg),
		SourceURL:   public(string(n.Monitor.URL)),
		OccurredAt:  instant(string(n.Heartbeat.Time)),
		Labels:      n.labels(name), Metadata: n.metadata(),
	}
	e.Service = e.Labels["service"]
	e.SeverityRaw = loose.First(loose.Text(e.Labels["severity"]), loose.Text(e.Labels["priority"]))
	if action == sdk.Resolve {
		e.EndedAt = e.OccurredAt
		return sdk.Result{Events: []sdk.Event{e}}
	}
	e.Severity = sdk.SeverityOf(e.SeverityRaw)
	return sdk.Result{Events: []sdk.Event{e}}
}

// action believes the heartbeat, then the words of the message.
func (n *notification) action() (action sdk.Action, ignored string) {
	switch n.Heartbeat.Status {
	case "0":
		return sdk.Trigger, ""
	case "1":
		return sdk.Resolve, ""
	case "2":
		return "", "the monitor is pending: it fails, and is tried again"
	case "3":
		return "", "the monitor is under maintenance"
	}
	if _, up, ok := spoken(sdk.Line(string(n.Msg))); ok && up {
		return sdk.Resolve, ""
	}
	return sdk.Trigger, ""
}

// said is a message about a monitor: "[Checkout] [🔴 Down] connect ECONNREFUSED".
var said = regexp.MustCompile(`\[([^\[\]]+)\] \[(?:🔴 |✅ )?(Down|Up)\]`)

func spoken(msg string) (name string, up, ok bool) {
	found := said.FindStringSubmatch(msg)
	if found == nil {
		return "", false, false
	}
	return found[1], found[2] == "Up", true
}

func (n *notification) labels(name string) map[string]string {
	labels := map[string]string{}
	for _, t := range n.Monitor.Tags.V {
		if key := strings.ToLower(loose.First(t.V.Name)); key != "" {
			labels[key] = loose.First(t.V.Value)
		}
	}
	labels["monitor"] = name
	if kind := loose.First(n.Monitor.Type); kind != "" {
		labels["monitor_type"] = kind
	}
	return labels
}

func (n *notification) metadata() map[string]any {
	m := map[string]any{}
	for name, value := range map[string]loose.Text{
		"msg": n.Msg, "path": n.Monitor.Path, "hostname": n.Monitor.Hostname, "port": n.Monitor.Port, "ping": n.Heartbeat.Ping,
	} {
		if value != "" {
			m[name] = string(value)
		}
	}
	return m
}

// public is the monitored URL without a password that may be in it.
func public(raw string) string {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return ""
	}
	u.User = nil
	return sdk.AbsoluteURL(u.String())
}

func instant(s string) time.Time {
	at, err := time.Parse("2006-01-02 15:04:05", s) // takes a fraction, too
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// expiry is the end of a message about a certificate or a domain.
var expiry = regexp.MustCompile(` will expire in -?\d+ days?$`)

// message makes an event of a message that comes alone.
func message(msg string) sdk.Event {
	e := sdk.Event{Action: sdk.Trigger, Title: msg}
	name, up, ok := spoken(msg)
	switch {
	case ok:
		e.Title, e.Description = name+" is down", msg
		e.DedupKey, e.IdentityRule = "name:"+name, "name of the monitor"
		if up {
			e.Action = sdk.Resolve
		}
	case expiry.MatchString(msg):
		e.DedupKey, e.IdentityRule = "expiry:"+expiry.ReplaceAllString(msg, ""), "what expires"
		e.Severity, e.SeverityRaw = sdk.PreEmptive, "expiry"
	case strings.HasSuffix(msg, " Testing"):
		e.Test = true
	}
	return e
}

// own reads a body that the operator wrote: the flat shape, with names in any
// letter case.
func own(members flat.Members) (sdk.Result, error) {
	lower := flat.Members{}
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(members))) { // lower case first
		if key := strings.ToLower(name); lower[key] == nil {
			lower[key] = members[name]
		}
	}
	e, notes, err := flat.Event(lower)
	if err != nil {
		return sdk.Result{}, err
	}
	if s := message(sdk.Line(e.Title + " " + e.Description)); e.DedupKey == "" && s.DedupKey != "" {
		e.Action, e.DedupKey, e.IdentityRule = s.Action, s.DedupKey, s.IdentityRule
		if e.Action == sdk.Resolve {
			e.Severity = ""
		}
	}
	return sdk.Result{Events: []sdk.Event{e}, Notes: notes}, nil
}
