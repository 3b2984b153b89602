package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"bellcrank.example/core/destination/destinationtest"
)

// TestEveryNotifierIsInTheExampleAndTheReference also has the example checked
// by the program that people will check theirs with.
func TestEveryNotifierIsInTheExampleAndTheReference(t *testing.T) {
	const example = "../configs/plugins/destinations.hcl"
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/destinations.md")
	if err != nil {
		t.Fatal(err)
	}
	types := 0
	for _, p := range manifest(t) {
		if p.Info.Role != "destination" {
			continue
		}
		types++
		_, block, _ := strings.Cut(string(text), "\ndestination \""+p.Type+"\" ")
		block, _, _ = strings.Cut(block, "\n}\n")
		_, section, _ := strings.Cut(string(page), "\n## "+p.Type+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		for _, s := range p.Info.Settings {
			if !regexp.MustCompile(`(?m)^ +` + s.Name + ` += `).MatchString(block) {
				t.Errorf("setting %s of %s isn't in %s", s.Name, p.Type, example)
			}
			if !regexp.MustCompile("(?m)^\\|.*`" + s.Name + "`.*\\|").MatchString(section) {
				t.Errorf("setting %s of %s isn't in docs/destinations.md", s.Name, p.Type)
			}
		}
		checked(t, p.Type+".hcl", section)
	}
	if types < 7 {
		t.Errorf("%d types from plugins, want seven", types)
	}
	checked(t, "destinations.hcl", string(text))
	formatted := exec.Command(filepath.Join(bin, "bellcrank"), "fmt", "--check", example)
	if out, err := formatted.CombinedOutput(); err != nil {
		t.Errorf("the example isn't laid out as `bellcrank fmt` does: %v %s", err, out)
	}
}

// checked runs validate over a configuration, or over that in a page, to which
// a route is added.
func checked(t *testing.T, name, text string) {
	t.Helper()
	if _, code, ok := strings.Cut(text, "\n```hcl\n"); ok {
		text, _, _ = strings.Cut(code, "\n```")
		to := regexp.MustCompile(`destination "(\w+)" "(\w+)"`).ReplaceAllString(strings.SplitN(text, " {", 2)[0], "destination.$1.$2")
		text += "\nroute \"all\" {\n  to = [" + to + "]\n}\n"
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(filepath.Join(bin, "bellcrank"), "validate", "-config", path)
	pair := destinationtest.NewPair(t, time.Now().Add(time.Hour))
	values := map[string]string{"CA_PEM": pair.Certificate, "CLIENT_PEM": pair.Certificate, "CLIENT_KEY": pair.Key}
	for _, variable := range regexp.MustCompile(`env\("(\w+)"\)`).FindAllStringSubmatch(text, -1) {
		c.Env = append(c.Env, variable[1]+"="+cmp.Or(values[variable[1]], "x"))
	}
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

// onCall is Splunk On-Call, as far as its REST integration goes.
type onCall struct {
	url string

	mu       sync.Mutex
	busy     int // that many requests are asked to wait
	messages []string
}

func newOnCall(t *testing.T, busy int) *onCall {
	s := &onCall{busy: busy}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// ServeHTTP takes an alert.
func (s *onCall) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m map[string]string
	switch err := json.NewDecoder(r.Body).Decode(&m); {
	case err != nil, r.URL.Path != "/alert/s3cr3t/database":
		w.WriteHeader(http.StatusNotFound)
	case strings.Contains(m["state_message"], "refuse"):
		w.WriteHeader(http.StatusUnprocessableEntity)
	case s.busy > 0:
		s.busy--
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	default:
		s.messages = append(s.messages, m["message_type"]+" "+m["entity_display_name"])
		fmt.Fprintf(w, `{"result":"success","entity_id":%q}`, m["entity_id"])
	}
}

func (s *onCall) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.messages, "; ")
}

const notifierBlocks = `
destination "victorops" "oncall" {
  allowed_cidrs = ["127.0.0.0/8"]
  settings {
    url         = "%s/alert"
    api_key     = env("ONCALL_KEY")
    routing_key = "database"
    title       = "<${incident.title}> ${change.kind}"
  }
}
route "oncall" {
  to       = [destination.victorops.oncall]
  continue = true
}
`

// TestANotifierGoesTheWholeWay has the target ask to wait, the operator's own
// title, an acknowledgement by a person, and a message that is refused.
func TestANotifierGoesTheWholeWay(t *testing.T) {
	target := newOnCall(t, 2)
	t.Setenv("ONCALL_KEY", "s3cr3t")
	s := writtenStack(t, fmt.Sprintf(notifierBlocks, target.url))
	s.types++ // the destination's plugin
	s.start()
	t.Cleanup(s.stop)
	s.mustPost("custom", `{"title":"Disk full","severity":"critical","status":"firing","dedup_key":"disk"}`)
	s.eventually("the problem is told, after a wait", time.Minute, func() bool { return target.heard() == "CRITICAL <Disk full> created" })
	s.cli("incident", "ack", "INC-001")
	s.eventually("the acknowledgement is told", time.Minute, func() bool {
		return target.heard() == "CRITICAL <Disk full> created; ACKNOWLEDGEMENT <Disk full> acknowledged"
	})
	s.mustPost("custom", `{"title":"Disk full","status":"resolved","dedup_key":"disk"}`)
	s.eventually("the end is told", time.Minute, func() bool { return strings.HasSuffix(target.heard(), "; RECOVERY <Disk full> resolved") })
	s.mustPost("custom", `{"title":"Odd","description":"refuse me","status":"firing","dedup_key":"odd"}`)
	s.eventually("the refusal is the message's fault", time.Minute, func() bool {
		return strings.Contains(s.cli("delivery", "list", "-json"), "422")
	})
	if out := s.cli("plugin", "list"); !strings.Contains(out, "victorops") {
		t.Errorf("plugin list says %s", out)
	}
	if out := s.cli("destination", "test", "victorops/oncall"); !strings.Contains(out, "200") {
		t.Errorf("destination test says %s", out)
	}
	if strings.Contains(s.log(), "s3cr3t") {
		t.Error("the log has the key")
	}
}
