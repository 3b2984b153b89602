package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rewrite changes the configuration and has the gateway read it again. It
// returns when the log says what became of that.
func (s *stack) rewrite(text, says string) {
	s.t.Helper()
	before := strings.Count(s.log(), says)
	if err := os.WriteFile(s.file("gateway.hcl"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
	s.eventually("the log says: "+says, 60*time.Second, func() bool { return strings.Count(s.log(), says) > before })
}

func (s *stack) log() string {
	s.t.Helper()
	log, err := os.ReadFile(s.file("log"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(log)
}

const addition = `
plugin "spare" {
  type = "custom"
}
integration "custom" "second" {
  plugin = plugin.spare
  paused = %t
  routing_key "test" {
    value = env("KEY_SECOND")
  }
}
destination "webhook" "other" {
  allowed_cidrs = ["127.0.0.0/8"]
  settings {
    url             = %q
    signing_secrets = [env("SINK_SECRET")]
  }
}
route "second" {
  match {
    integration = "custom/second"
  }
  to = [destination.webhook.other]
}
`

func TestReloadTakesEffectWhole(t *testing.T) {
	t.Setenv("KEY_SECOND", "test-key-for-the-second-one")
	s := newStack(t)
	keys["second"] = os.Getenv("KEY_SECOND")
	defer delete(keys, "second")
	original, err := os.ReadFile(s.file("gateway.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	base := string(original)
	other := newSink(t)
	const reloaded = "configuration reloaded"

	if a, err := s.post(t.Context(), "second", `{"title":"x"}`); err != nil || a.Status != http.StatusNotFound {
		t.Errorf("before: %d %s (%v), want 404", a.Status, a.Body, err)
	}
	s.rewrite(fmt.Sprintf(addition, true, other.url)+base, reloaded)
	held, err := s.post(t.Context(), "second", `{"title":"held back"}`)
	if err != nil || held.Status != http.StatusAccepted || !strings.Contains(held.Body, `"held"`) {
		t.Errorf("paused: %d %s (%v), want 202 held", held.Status, held.Body, err)
	}
	s.eventually("the new plugin is ready", 10*time.Second, func() bool {
		return strings.Contains(s.cli("plugin", "list"), "spare")
	})

	active := fmt.Sprintf(addition, false, other.url) + base
	s.rewrite(active, reloaded)
	s.eventually("what was held has arrived", 10*time.Second, func() bool { return len(other.received()) == 1 })
	if got := other.received()[0]; got.Incident.Title != "held back" || got.Type != "incident.created" {
		t.Errorf("received %+v, want what was held back", got)
	}

	s.rewrite(strings.Replace(active, `type = "custom"`, `kind = "custom"`, 1), "the old one stays in force")
	s.mustPost("second", `{"title":"after the mistake"}`)
	s.mustPost("custom", vendors["custom"].body("x", false))
	if !strings.Contains(s.log(), "gateway.hcl line 3") {
		t.Error("the log doesn't say where the mistake is")
	}

	s.rewrite(base, reloaded)
	if a, err := s.post(t.Context(), "second", `{"title":"x"}`); err != nil || a.Status != http.StatusNotFound {
		t.Errorf("removed: %d %s (%v), want 404", a.Status, a.Body, err)
	}
	s.eventually("the plugin that isn't needed has gone", 10*time.Second, func() bool {
		return !strings.Contains(s.cli("plugin", "list"), "spare")
	})

	s.rewrite(strings.Replace(base, filepath.Join(s.dir, "data"), filepath.Join(s.dir, "elsewhere"), 1), "some changes wait for a restart")
	// The adapter may be changing hands: 202 would do as well.
	if a, err := s.post(t.Context(), "custom", vendors["custom"].body("y", false)); err != nil || a.Status >= 300 {
		t.Errorf("afterwards: %d %s (%v), want it accepted", a.Status, a.Body, err)
	}
}
