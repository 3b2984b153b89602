package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ntfyServer is what the example of a destination plugin talks to.
type ntfyServer struct {
	url string

	mu       sync.Mutex
	busy     int // that many requests are asked to wait
	messages []map[string]any
}

func newNtfyServer(t *testing.T, busy int) *ntfyServer {
	s := &ntfyServer{busy: busy}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// ServeHTTP takes a notification.
func (s *ntfyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m map[string]any
	switch err := json.NewDecoder(r.Body).Decode(&m); {
	case err != nil || r.Header.Get("Authorization") != "Bearer tk_secret":
		w.WriteHeader(http.StatusBadRequest)
	case s.busy > 0:
		s.busy--
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	default:
		s.messages = append(s.messages, m)
	}
}

func (s *ntfyServer) titles() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var titles []string
	for _, m := range s.messages {
		titles = append(titles, fmt.Sprint(m["title"], " ", m["priority"]))
	}
	return strings.Join(titles, "; ")
}

const pluggedBlocks = `
plugin_directory = %q
destination "ntfy" "phones" {
  allowed_cidrs = ["127.0.0.0/8"]
  settings {
    url   = %q
    topic = "on-call"
    token = env("NTFY_TOKEN")
  }
}
route "phones" {
  to       = [destination.ntfy.phones]
  continue = true
}
`

// TestADestinationFromAPlugin installs the example of a destination, and tells
// it of a problem and its end: while the target asks to wait, and across the
// death of the plugin's process.
func TestADestinationFromAPlugin(t *testing.T) {
	target := newNtfyServer(t, 2)
	plugins := filepath.Join(t.TempDir(), "plugins")
	executable := filepath.Join(plugins, "ntfy", "1.0.0", "ntfy")
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", executable, "bellcrank.example/examples/destination-go")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("NTFY_TOKEN", "tk_secret")
	s := writtenStack(t, fmt.Sprintf(pluggedBlocks, plugins, target.url))
	lock := exec.Command(filepath.Join(bin, "bellcrank"), "plugin", "lock", "-config", s.file("gateway.hcl"))
	lock.Env = s.environment()
	if out, err := lock.CombinedOutput(); err != nil {
		t.Fatalf("plugin lock: %v\n%s", err, out)
	}
	s.types++ // the destination's plugin
	s.start()
	t.Cleanup(s.stop)
	s.mustPost("custom", `{"title":"Disk full","severity":"critical","status":"firing","dedup_key":"disk"}`)
	s.eventually("the phones hear of the problem, after having asked to wait", 60*time.Second, func() bool {
		return target.titles() == "INC-001 Disk full 5"
	})
	if err := syscall.Kill(s.plugins()["ntfy"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.mustPost("custom", `{"title":"Disk full","status":"resolved","dedup_key":"disk"}`)
	s.eventually("the phones hear of the end, though the plugin died", 120*time.Second, func() bool {
		return target.titles() == "INC-001 Disk full 5; INC-001 Disk full 2"
	})
	if out := s.cli("destination", "test", "ntfy/phones"); !strings.Contains(out, "200") {
		t.Errorf("destination test says %s", out)
	}
	config, err := os.ReadFile(s.file("log"))
	if err != nil || strings.Contains(string(config), "tk_secret") {
		t.Errorf("the log has the token (%v)", err)
	}
}
