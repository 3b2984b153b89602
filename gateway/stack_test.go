package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bellcrank.example/gateway/gatewaytest"
)

// bin is where TestMain builds the binaries.
var bin string

func TestMain(m *testing.M) { gatewaytest.Main(m, &bin) }

// keys are the routing keys of the test's integrations.
var keys = map[string]string{
	"alertmanager": "test-key-for-alertmanager",
	"custom":       "test-key-for-custom-posts",
	"datadog":      "test-key-for-datadog-hooks",
	"sentry":       "test-key-for-sentry-hooks",
}

// stack is a real gateway process with its folder, and the receiver behind it.
type stack struct {
	t      *testing.T
	dir    string
	ingest string
	admin  string
	sink   *sink
	cmd    *exec.Cmd
	types  int // of integrations, each with a plugin
}

const configuration = `
data_dir   = %q
public_url = "http://%s"

listener "ingest" {
  address = %q
}
listener "admin" {
  address = %q
}

integration "alertmanager" "prometheus" {
  routing_key "test" {
    value = env("KEY_ALERTMANAGER")
  }
}
integration "custom" "scripts" {
  routing_key "test" {
    value = env("KEY_CUSTOM")
  }
}
integration "datadog" "prod" {
  routing_key "test" {
    value = env("KEY_DATADOG")
  }
}
integration "sentry" "web" {
  routing_key "test" {
    value = env("KEY_SENTRY")
  }
  verify = "none"
}

destination "webhook" "sink" {
  notify        = true
  allowed_cidrs = ["127.0.0.0/8"]
  tests         = true
  settings {
    url             = %q
    signing_secrets = [env("SINK_SECRET")]
  }
}

route "all" {
  to = [destination.webhook.sink]
}
`

// newStack writes a configuration and starts a gateway with it.
func newStack(t *testing.T) *stack {
	t.Helper()
	return newStackWith(t, "")
}

// newStackWith adds blocks to the configuration, before the last route.
func newStackWith(t *testing.T, blocks string) *stack {
	t.Helper()
	s := writtenStack(t, blocks)
	s.start()
	t.Cleanup(s.stop)
	return s
}

// writtenStack is a stack with its configuration, before it starts.
func writtenStack(t *testing.T, blocks string) *stack {
	t.Helper()
	s := &stack{t: t, dir: t.TempDir(), ingest: gatewaytest.FreeAddress(t), admin: gatewaytest.FreeAddress(t), sink: newSink(t)}
	text := fmt.Sprintf(strings.Replace(configuration, `route "all"`, blocks+`route "all"`, 1), filepath.Join(s.dir, "data"), s.ingest, s.ingest, s.admin, s.sink.url)
	if err := os.WriteFile(s.file("gateway.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	types := map[string]bool{}
	for _, block := range regexp.MustCompile(`(?m)^integration "([^"]+)"`).FindAllStringSubmatch(text, -1) {
		types[block[1]] = true
	}
	s.types = len(types)
	return s
}

func (s *stack) file(name string) string { return filepath.Join(s.dir, name) }

// start runs the gateway and returns when it is ready.
func (s *stack) start() {
	s.t.Helper()
	log, err := os.OpenFile(s.file("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(filepath.Join(bin, "bellcrank"), "serve", "-config", s.file("gateway.hcl"))
	s.cmd.Env = s.environment()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.eventually("the gateway is ready and its plugins too", 20*time.Second, func() bool {
		response, err := http.Get("http://" + s.admin + "/readyz")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK && len(s.plugins()) == s.types
	})
}

func (s *stack) environment() []string {
	env := append(os.Environ(), "SINK_SECRET="+sinkSecret, "BELLCRANK_ADDR="+s.admin)
	for name, key := range keys {
		env = append(env, "KEY_"+strings.ToUpper(name)+"="+key)
	}
	return env
}

// kill ends the gateway as a power switch would, for the process.
func (s *stack) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	s.cmd.Wait()
}

func (s *stack) stop() {
	if s.cmd.ProcessState == nil {
		s.cmd.Process.Signal(syscall.SIGTERM)
		s.cmd.Wait()
	}
	if s.t.Failed() {
		log, _ := os.ReadFile(s.file("log"))
		s.t.Logf("the gateway's log ends with:\n%s", log[max(0, len(log)-4000):])
	}
}

// eventually waits for a condition, and fails the test if it doesn't come
// true in time.
func (s *stack) eventually(what string, limit time.Duration, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	s.t.Fatalf("not within %v: %s", limit, what)
}

// answer is what the door says.
type answer struct {
	Status   int           `json:"-"`
	Took     time.Duration `json:"-"`
	Body     string        `json:"-"`
	Incident struct {
		ID, Title, Severity, Status, URL string
	}
	Receipt struct{ ID string }
}

var client = &http.Client{Timeout: 30 * time.Second}

// post sends a vendor's body to its integration.
func (s *stack) post(ctx context.Context, vendor, body string, header ...string) (answer, error) {
	return s.postTo(ctx, keys[vendor], body, header...)
}

// postTo sends a body to whoever has the key.
func (s *stack) postTo(ctx context.Context, key, body string, header ...string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.ingest+"/webhooks/"+key, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	began := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	a := answer{Status: response.StatusCode, Took: time.Since(began), Body: string(raw)}
	if err == nil {
		err = json.Unmarshal(raw, &a)
	}
	return a, err
}

// mustPost sends a body that must be accepted with a 200.
func (s *stack) mustPost(vendor, body string, header ...string) answer {
	s.t.Helper()
	a, err := s.post(s.t.Context(), vendor, body, header...)
	if err != nil || a.Status != http.StatusOK {
		s.t.Fatalf("%s: %d %s (%v), want 200", vendor, a.Status, a.Body, err)
	}
	return a
}

// get asks the admin API.
func (s *stack) get(path string, into any) {
	s.t.Helper()
	token, err := os.ReadFile(s.file("data/admin.token"))
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodGet, "http://"+s.admin+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	response, err := client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %d %s (%v)", path, response.StatusCode, raw, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		s.t.Fatalf("GET %s: %v", path, err)
	}
}

// all reads every page of a list, oldest first.
func all[T any](s *stack, list string) []T {
	s.t.Helper()
	var items []T
	for before := ""; ; {
		var page map[string]json.RawMessage
		s.get("/v1/"+list+"?limit=500&before="+url.QueryEscape(before), &page)
		var part []T
		if err := json.Unmarshal(page[list], &part); err != nil {
			s.t.Fatal(err)
		}
		items = append(items, part...)
		before = ""
		if raw, ok := page["next"]; ok {
			if err := json.Unmarshal(raw, &before); err != nil {
				s.t.Fatal(err)
			}
		}
		if before == "" {
			slices.Reverse(items)
			return items
		}
	}
}

// incident, delivery and plugin are what the tests read of the API's lists.
type incident struct {
	ID          string `json:"id"`
	InternalID  string `json:"internal_id"`
	Integration string `json:"integration"`
	Status      string `json:"status"`
	Severity    string `json:"severity"`
	Title       string `json:"title"`
	DedupKey    string `json:"dedup_key"`
	Count       int    `json:"count"`
	Version     int    `json:"version"`
	Test        bool   `json:"test"`
}

type delivery struct {
	MessageID string `json:"message_id"`
	Incident  string `json:"incident"`
	Version   int    `json:"version"`
	Kind      string `json:"kind"`
	State     string `json:"state"`
}

type plugin struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	State string `json:"state"`
	PID   int    `json:"pid"`
}

// settled waits until nothing is owed any more.
func (s *stack) settled(limit time.Duration) {
	s.t.Helper()
	s.eventually("every request is finished and every delivery made", limit, func() bool {
		var status struct {
			Backlog struct{ Requests, Deliveries int }
		}
		s.get("/v1/status", &status)
		return status.Backlog.Requests == 0 && status.Backlog.Deliveries == 0
	})
}

// cli runs a command against the gateway and returns what it prints.
func (s *stack) cli(args ...string) string {
	s.t.Helper()
	out, err := s.tryCLI(args...)
	if err != nil {
		s.t.Fatalf("bellcrank %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// tryCLI runs a command that may fail.
func (s *stack) tryCLI(args ...string) (string, error) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(bin, "bellcrank"), args...)
	token, err := os.ReadFile(s.file("data/admin.token"))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Env = append(s.environment(), "BELLCRANK_TOKEN="+strings.TrimSpace(string(token)))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// sinkSecret is a Standard Webhooks secret.
const sinkSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// sink is a receiver that checks signatures with a verifier of its own.
type sink struct {
	url string

	mu       sync.Mutex
	messages []message
	forged   int
}

// message is one delivery as it arrived.
type message struct {
	ID       string // webhook-id
	Type     string
	Incident struct {
		ID      string `json:"id"`
		Status  string `json:"status"`
		Title   string `json:"title"`
		Version int    `json:"version"`
	}
}

func newSink(t *testing.T) *sink {
	s := &sink{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// ServeHTTP records a delivery.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var envelope struct {
		Type string `json:"type"`
		Data struct {
			Incident json.RawMessage `json:"incident"`
		} `json:"data"`
	}
	m := message{ID: r.Header.Get("webhook-id")}
	if err == nil {
		err = json.Unmarshal(body, &envelope)
	}
	if err == nil {
		m.Type = envelope.Type
		err = json.Unmarshal(envelope.Data.Incident, &m.Incident)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || !signed(r.Header, body) {
		s.forged++
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.messages = append(s.messages, m)
}

// signed verifies a Standard Webhooks signature: HMAC-SHA-256 over id, time
// and body.
func signed(h http.Header, body []byte) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sinkSecret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", h.Get("webhook-id"), h.Get("webhook-timestamp"))
	mac.Write(body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return slices.ContainsFunc(strings.Fields(h.Get("webhook-signature")), func(got string) bool {
		return hmac.Equal([]byte(got), []byte(want))
	})
}

// received returns what has arrived so far.
func (s *sink) received() []message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// gone reports whether a process has ended; a zombie that nobody reaps has.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return bytes.HasPrefix(rest, []byte("Z"))
}
