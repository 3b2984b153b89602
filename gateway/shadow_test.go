package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestConfiguredShadowChangesNothing has the configuration ask for a shadow,
// which lasts over reloads and restarts, and kills it while requests come in.
func TestConfiguredShadowChangesNothing(t *testing.T) {
	s := newChaosStack(t, nil)
	for _, version := range []string{"1.0.0", "2.0.0"} {
		s.install(version)
	}
	s.lock()
	before, err := os.ReadFile(s.file("gateway.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`%s
plugin "chaos" {
  version = "1.0.0"
  shadow  = "2.0.0"
}
integration "chaos" "shadowed" {
  routing_key "test" {
    value = %q
  }
}
`, before, chaosKey("shadowed"))
	s.rewrite(text, "configuration reloaded")
	s.eventually("both versions run", 60*time.Second, func() bool { return s.pidOf("chaos") != 0 && s.pidOf(shadowName) != 0 })
	sent := s.readAlong()

	shadow := s.pidOf(shadowName)
	s.rewrite(text+"# a reload\n", "configuration reloaded")
	if now := s.pidOf(shadowName); now != shadow || !strings.Contains(s.shadowReport(), "1 of them different") {
		t.Errorf("after a reload process %d reads along, before it was %d, and the report is\n%s", now, shadow, s.shadowReport())
	}

	s.stop()
	s.serve()
	s.eventually("both versions run again", 60*time.Second, func() bool { return s.pidOf("chaos") != 0 && s.pidOf(shadowName) != 0 })
	sent += s.readAlong()

	serving := s.pidOf("chaos")
	for range 5 {
		s.eventually("the shadow runs", 60*time.Second, func() bool { shadow = s.pidOf(shadowName); return shadow != 0 })
		if err := syscall.Kill(shadow, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if a := s.send(chaosKey("shadowed"), map[string]any{"title": "shadowed", "key": fmt.Sprint("s-", sent)}); a.Status == 200 || a.Status == 202 {
				sent++
			}
		}
	}
	if now := s.pidOf("chaos"); now != serving {
		t.Errorf("process %d serves, before its shadow was killed it was %d", now, serving)
	}
	s.settled(60 * time.Second)
	if got := all[incident](s.stack, "incidents"); len(got) != sent {
		t.Errorf("%d incidents of %d requests", len(got), sent)
	}
	s.endsWholly()
}

const shadowName = "shadow of chaos"

// readAlong sends one request and returns when the shadow has read it.
func (s *chaosStack) readAlong() (sent int) {
	s.t.Helper()
	s.send(chaosKey("shadowed"), map[string]any{"title": "shadowed", "key": fmt.Sprint("first-", s.pidOf(shadowName))})
	s.eventually("the shadow has read it", 60*time.Second, func() bool { return strings.Contains(s.shadowReport(), "1 request compared") })
	if report := s.shadowReport(); !strings.Contains(report, "events[].labels.version differs in 1 request") {
		s.t.Errorf("the report is\n%s", report)
	}
	return 1
}

func (s *chaosStack) shadowReport() string {
	s.t.Helper()
	report, _ := s.tryCLI("plugin", "shadow", "chaos") // exits with 3
	return report
}

// pidOf is the process of a plugin, 0 while there is none.
func (s *stack) pidOf(name string) int {
	for _, p := range all[plugin](s, "plugins") {
		if p.Name == name {
			return p.PID
		}
	}
	return 0
}
