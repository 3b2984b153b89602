package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// mappings are those of the documents, by name, as an operator would copy them.
func mappings(t *testing.T) map[string]string {
	t.Helper()
	doc, err := os.ReadFile("../docs/mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^    mapping "(\w+)" \{\n(?:      .*\n)+    \}\n`).FindAllStringSubmatch(string(doc), -1) {
		found[m[1]] = m[0]
	}
	return found
}

// mapped is an integration of type custom with something in it.
func mapped(name, inside string) string {
	return fmt.Sprintf("integration \"custom\" %q {\n  routing_key \"test\" {\n    value = %q\n  }\n%s}\n", name, keyOf(name), inside)
}

func keyOf(name string) string { return "test-key-for-mapping-" + name + "-0123" }

// shown is what the API says of an incident.
type shown struct {
	Title, Severity, Status, Service string
	SeverityRaw                      string `json:"severity_raw"`
	SeverityRule                     string `json:"severity_rule"`
	IdentityRule                     string `json:"identity_rule"`
	SourceURL                        string `json:"source_url"`
	Labels                           map[string]string
	Integration                      string
	Count                            int
	Test                             bool
}

func (i shown) line() string {
	return fmt.Sprintf("%s %s %q %s", i.Status, i.Severity, i.Title, i.Service)
}

// incidentsOf lists an integration's incidents in one line each, sorted.
func (s *stack) incidentsOf(name string) []string {
	s.t.Helper()
	var lines []string
	for _, i := range all[shown](s, "incidents") {
		if i.Integration == "custom/"+name {
			lines = append(lines, i.line())
		}
	}
	slices.Sort(lines)
	return lines
}

func (s *stack) postMapped(name, body string, header ...string) answer {
	s.t.Helper()
	a, err := s.postTo(s.t.Context(), keyOf(name), body, header...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// TestForeignShapesAreMapped sends what other tools send, a problem and its
// end, through the mappings of the documents.
func TestForeignShapesAreMapped(t *testing.T) {
	want := map[string][]string{
		"zabbix":   {`High "Free space below 10 % on /var on db-01" databases`},
		"newrelic": {`Critical "Checkout: error rate above 5 % for 5 minutes" checkout`},
		"gcp":      {`High "CPU: VM CPU above 90 %" web-7`},
		"azure":    {`High "Queue is long" orders`},
		"checks":   {`Critical "us: dns" `, `High "eu: dns" `},
	}
	written := mappings(t)
	var blocks strings.Builder
	for name := range want {
		blocks.WriteString(mapped(name, "  settings {\n"+written[name]+"  }\n"))
	}
	s := newStackWith(t, blocks.String())
	for name, incidents := range want {
		for _, step := range []struct{ file, status string }{{"problem", "investigating"}, {"problem", "investigating"}, {"end", "resolved"}} {
			body, err := os.ReadFile(filepath.Join("../examples/mapping", name, step.file+".json"))
			if err != nil {
				t.Fatal(err)
			}
			if a := s.postMapped(name, string(body)); a.Status != http.StatusOK {
				t.Errorf("%s: %d %s, want 200", name, a.Status, a.Body)
			}
			var wanted []string
			for _, incident := range incidents {
				wanted = append(wanted, step.status+" "+incident)
			}
			if got := s.incidentsOf(name); !slices.Equal(got, wanted) {
				t.Errorf("%s after %s: %q, want %q", name, step.file, got, wanted)
			}
		}
	}
	s.settled(60 * time.Second)
}

// TestWhatCannotBeMappedIsToldOf sends bodies that a mapping makes nothing of:
// a machine gets no 4xx, and somebody hears of it.
func TestWhatCannotBeMappedIsToldOf(t *testing.T) {
	s := newStackWith(t, mapped("part", `  settings {
    mapping "list" {
      for_each  = body.alerts
      title     = each.value.name
      dedup_key = each.value.id
    }
  }
`)+mapped("none", `  settings {
    mapping "other" {
      when  = headers["x-kind"] == "alert"
      title = body.name
    }
  }
`))
	a := s.postMapped("part", `{"alerts":[{"name":"A","id":1},{"id":2},{"name":"C","id":3}]}`)
	if a.Status != http.StatusOK {
		t.Errorf("a batch with one bad element: %d %s", a.Status, a.Body)
	}
	got := s.incidentsOf("part")
	if len(got) != 3 || !slices.Contains(got, `investigating Medium "A" `) || !slices.Contains(got, `investigating Medium "C" `) {
		t.Errorf("incidents %q, want A, C and a fallback", got)
	}
	for _, body := range []string{`{"name":"B"}`, `{"alerts":[]`, `x`} {
		if a := s.postMapped("none", body); a.Status != http.StatusAccepted {
			t.Errorf("%s: %d %s, want 202", body, a.Status, a.Body)
		}
	}
	if got := s.incidentsOf("none"); len(got) != 1 {
		t.Errorf("incidents %q, want one fallback", got)
	}
	if a := s.postMapped("none", `{"name":"B"}`, "X-Kind", "alert"); a.Status != http.StatusOK || a.Incident.Title != "B" {
		t.Errorf("with the header: %d %s, want B", a.Status, a.Body)
	}
	if a := s.postMapped("none", `{"title":"plain"}`); a.Status != http.StatusOK || a.Incident.Title != "plain" {
		t.Errorf("the plain shape: %d %s, want an incident", a.Status, a.Body)
	}
}

// TestOperatorsDecide has an integration's own severity and identity, and its
// strictness about placeholders, reach the stored incident.
func TestOperatorsDecide(t *testing.T) {
	s := newStackWith(t, mapped("own", `  strict_templates = true
  severity {
    map        = { "P9" = "Low" }
    expression = event.metadata.tier == "gold" ? "Critical" : null
    default    = "High"
  }
  identity {
    fields = ["metadata.host", "labels.none"]
  }
`))
	for body, want := range map[string]shown{
		`{"title":"a","metadata":{"tier":"gold","host":"h1"}}`:                  {Severity: "Critical", SeverityRule: "expression (gateway.hcl:"},
		`{"title":"b","severity":"P9","metadata":{"tier":"gold","host":"h2"}}`:  {Severity: "Low", SeverityRule: "map: P9", SeverityRaw: "P9"},
		`{"title":"c","severity":"sev3","metadata":{"tier":"tin","host":"h3"}}`: {Severity: "Medium", SeverityRule: "adapter", SeverityRaw: "sev3"},
		`{"title":"d","severity":"odd","metadata":{"host":"h4"}}`:               {Severity: "High", SeverityRule: "integration default", SeverityRaw: "odd"},
	} {
		a := s.postMapped("own", body)
		var got shown
		s.get("/v1/incidents/"+a.Incident.ID, &got)
		if got.Severity != want.Severity || !strings.HasPrefix(got.SeverityRule, want.SeverityRule) || got.SeverityRaw != want.SeverityRaw {
			t.Errorf("%s: %+v, want %+v", body, got, want)
		}
		if rule := "fields metadata.host, labels.none"; got.IdentityRule != rule {
			t.Errorf("%s: identity by %q, want %q", body, got.IdentityRule, rule)
		}
	}
	first := s.postMapped("own", `{"title":"x","metadata":{"host":"h1"}}`)
	if !strings.HasPrefix(first.Incident.Severity, "Critical") {
		t.Errorf("another event of host h1: %s, want the incident of the first", first.Body)
	}
	one, two := s.postMapped("own", `{"title":"no host"}`), s.postMapped("own", `{"title":"none either"}`)
	if one.Incident.ID == two.Incident.ID {
		t.Errorf("%s and %s are one incident, though nothing says so", one.Body, two.Body)
	}
	var failure struct {
		Error struct{ Code, Message string }
	}
	a := s.postMapped("own", `{"title":"{{alert.name}}","severity":"{{alert.priority}}"}`)
	if err := json.Unmarshal([]byte(a.Body), &failure); err != nil || a.Status != http.StatusUnprocessableEntity || !strings.Contains(a.Body, "{{alert.name}}") {
		t.Errorf("a placeholder: %d %s, want 422", a.Status, a.Body)
	}
}

// TestPlaceholdersAreTests keeps what a template left unfilled as a test, on
// every integration, and says what the template should have.
func TestPlaceholdersAreTests(t *testing.T) {
	s := newStack(t)
	for vendor, body := range map[string]string{
		"custom":       `{"title":"{{alert.name}}"}`,
		"datadog":      `{"title":"{{alert.name}}","description":"{{alert.text}}","severity":"{{alert.priority}}"}`,
		"sentry":       `{"title":"{{event.title}}","description":"{{event.culprit}}","severity":"{{event.level}}"}`,
		"alertmanager": `{"title":"%title%"}`,
	} {
		a := s.mustPost(vendor, body)
		var got shown
		s.get("/v1/incidents/"+a.Incident.ID, &got)
		if !got.Test {
			t.Errorf("%s: %s isn't marked as a test", vendor, a.Body)
		}
	}
}
