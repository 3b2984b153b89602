package main

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	facadeKey = "test-key-for-other-clients"
	genieKey  = "test-key-for-genies-clients"
)

// facades are integrations whose clients believe that they talk to somebody
// else.
const facades = `
integration "pagerduty" "clients" {
  routing_key "test" {
    value = "` + facadeKey + `"
  }
}
integration "opsgenie" "clients" {
  routing_key "test" {
    value = "` + genieKey + `"
  }
}
`

// call sends a request to the ingest listener.
func (s *stack) call(method, path, body string, header ...string) (status int, answer map[string]any) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.ingest+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil || json.Unmarshal(raw, &answer) != nil {
		s.t.Fatalf("%s %s: %d %s (%v)", method, path, response.StatusCode, raw, err)
	}
	return response.StatusCode, answer
}

// incidentLines returns "title: status" of each incident, oldest first.
func (s *stack) incidentLines() []string {
	s.t.Helper()
	var lines []string
	for _, in := range all[incident](s, "incidents") {
		lines = append(lines, in.Title+": "+in.Status)
	}
	return lines
}

func (s *stack) wantIncidents(want ...string) {
	s.t.Helper()
	s.settled(30 * time.Second)
	if got := s.incidentLines(); !slices.Equal(got, want) {
		s.t.Errorf("incidents %q, want %q", got, want)
	}
}

func TestPagerDutysClientsFindThemselvesAtHome(t *testing.T) {
	s := newStackWith(t, facades)
	event := func(rest string) string { return `{"routing_key":"` + facadeKey + `",` + rest + `}` }
	const payload = `"payload":{"summary":"Disk is full","source":"db-1","severity":"critical"}`

	status, told := s.call("POST", "/v2/enqueue", event(`"event_action":"trigger",`+payload))
	key, _ := told["dedup_key"].(string)
	if status != http.StatusAccepted || told["status"] != "success" || told["message"] != "Event processed" || key == "" {
		t.Fatalf("trigger: %d %v, want PagerDuty's answer with a key", status, told)
	}
	s.wantIncidents("Disk is full: investigating")
	if status, told := s.call("POST", "/v2/enqueue", event(`"event_action":"acknowledge","dedup_key":"`+key+`"`)); status != http.StatusAccepted || told["dedup_key"] != key {
		t.Errorf("acknowledge: %d %v, want the same key", status, told)
	}
	s.wantIncidents("Disk is full: acknowledged")
	s.call("POST", "/v2/enqueue", event(`"event_action":"resolve","dedup_key":"`+key+`"`))
	s.wantIncidents("Disk is full: resolved")

	if status, told = s.call("POST", "/v2/change/enqueue", event(`"payload":{"summary":"Deployed"}`)); status != http.StatusAccepted || told["message"] != "Change event processed" {
		t.Errorf("change: %d %v", status, told)
	}
	old := `{"service_key":"` + facadeKey + `","event_type":"trigger","incident_key":"k","description":"Old client"}`
	if status, told = s.call("POST", "/generic/2010-04-15/create_event.json", old); status != http.StatusOK || told["incident_key"] != "k" {
		t.Errorf("version 1: %d %v", status, told)
	}
	if status, told = s.call("POST", "/webhooks/"+facadeKey, `{"event_action":"trigger","dedup_key":"d","payload":{"summary":"By the path","source":"a","severity":"info"}}`); status != http.StatusAccepted || told["dedup_key"] != "d" {
		t.Errorf("by the key in the path: %d %v", status, told)
	}
	if status, _ = s.call("POST", "/v2/enqueue", `{"routing_key":"nobody-has-this-routing-key"}`); status != http.StatusNotFound {
		t.Errorf("unknown key: %d, want 404", status)
	}
	s.wantIncidents("Disk is full: resolved", "Old client: investigating", "By the path: investigating")
	if shown := s.cli("inbox", "list", "-json"); strings.Contains(shown, facadeKey) {
		t.Error("the inbox shows the routing key")
	}
}

func TestOpsgeniesClientsFindThemselvesAtHome(t *testing.T) {
	s := newStackWith(t, facades)
	call := func(method, path, body string) string {
		t.Helper()
		status, told := s.call(method, path, body, "Authorization", "GenieKey "+genieKey)
		id, _ := told["requestId"].(string)
		if _, timed := told["took"].(float64); status != http.StatusAccepted || told["result"] != "Request will be processed" || !timed || id == "" {
			t.Fatalf("%s %s: %d %v, want Opsgenie's answer", method, path, status, told)
		}
		return id
	}
	call("POST", "/v2/alerts", `{"message":"Disk is full","alias":"db-1/disk","priority":"P1"}`)
	s.wantIncidents("Disk is full: investigating")
	call("POST", "/v2/alerts/db-1%2Fdisk/acknowledge?identifierType=alias", `{"user":"jo"}`)
	s.wantIncidents("Disk is full: acknowledged")
	call("PUT", "/v2/alerts/db-1%2Fdisk/message?identifierType=alias", `{"message":"Still full"}`)
	call("POST", "/v2/alerts/db-1%2Fdisk/close?identifierType=alias", ``)
	s.wantIncidents("Disk is full: resolved")
	id := call("POST", "/jsm/ops/integration/v2/alerts", `{"message":"Without an alias"}`)
	if status, told := s.call("GET", "/v2/alerts/requests/"+id, ""); status != http.StatusOK || told["requestId"] != id {
		t.Errorf("what became of the request: %d %v", status, told)
	}
	call("DELETE", "/v2/alerts/"+id, "")
	s.wantIncidents("Disk is full: resolved", "Without an alias: resolved")
	if status, _ := s.call("POST", "/v2/alerts", `{"message":"x"}`, "Authorization", "GenieKey "+facadeKey); status != http.StatusNotFound {
		t.Errorf("a key of another type: %d, want 404", status)
	}
}
