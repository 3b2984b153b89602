//go:build node || python

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// foreign is an example of an adapter in a language that we don't ship.
type foreign struct {
	t       *testing.T
	folder  string // below examples
	kind    string
	plugins string // the gateway's plugin_directory
}

func (f *foreign) path() string {
	f.t.Helper()
	path, err := filepath.Abs(filepath.Join("../examples", f.folder))
	if err != nil {
		f.t.Fatal(err)
	}
	return path
}

// passesTheKit holds the example to what every adapter must do.
func (f *foreign) passesTheKit() {
	f.t.Helper()
	out, err := exec.Command(filepath.Join(bin, "bellcrank"), "plugin", "test", f.path()).CombinedOutput()
	if err != nil {
		f.t.Errorf("plugin test: %v\n%s", err, out)
	}
}

// body is what a recorded case sends.
func (f *foreign) body(name string) string {
	f.t.Helper()
	content, err := os.ReadFile(filepath.Join(f.path(), "testdata", name, "request.json"))
	var request struct{ Body json.RawMessage }
	if err == nil {
		err = json.Unmarshal(content, &request)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return string(request.Body)
}

func (f *foreign) key() string { return "test-key-for-foreign-" + f.kind }

const foreignBlocks = `
plugin_directory = %q
integration %q "one" {
  routing_key "test" {
    value = %q
  }
}
`

// installed starts a gateway that has the example in its plugin directory,
// locked, beside the built-in plugins.
func (f *foreign) installed() *stack {
	f.t.Helper()
	f.plugins = filepath.Join(f.t.TempDir(), "plugins")
	s := writtenStack(f.t, fmt.Sprintf(foreignBlocks, f.plugins, f.kind, f.key()))
	if err := os.CopyFS(filepath.Join(f.plugins, f.kind, "1.0.0"), os.DirFS(f.path())); err != nil {
		f.t.Fatal(err)
	}
	lock := exec.Command(filepath.Join(bin, "bellcrank"), "plugin", "lock", "-config", s.file("gateway.hcl"))
	lock.Env = s.environment()
	if out, err := lock.CombinedOutput(); err != nil {
		f.t.Fatalf("plugin lock: %v\n%s", err, out)
	}
	s.start()
	f.t.Cleanup(s.stop)
	s.eventually("the adapter serves", 60*time.Second, func() bool { return s.processOf(f.kind) != 0 })
	return s
}

// processOf is the process that serves a type, 0 while none does.
func (s *stack) processOf(kind string) int { return s.plugins()[kind] }

// takesTraffic sends a problem and its end, beside a vendor whose adapter is in
// Go, while the foreign process is killed once and replaced once.
func (f *foreign) takesTraffic(problem, end string) {
	f.t.Helper()
	s := f.installed()
	datadog, err := os.ReadFile("../examples/payloads/datadog.json")
	if err != nil {
		f.t.Fatal(err)
	}
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for range 50 {
				s.accepted(f.key(), f.body(problem))
				s.accepted(keys["datadog"], string(datadog))
			}
		})
	}
	if err := syscall.Kill(s.processOf(f.kind), syscall.SIGKILL); err != nil {
		f.t.Error(err)
	}
	s.eventually("the adapter is back", 60*time.Second, func() bool { return s.processOf(f.kind) != 0 })
	s.cli("plugin", "restart", f.kind)
	senders.Wait()
	s.settled(120 * time.Second)
	if got := s.countOf(f.kind+"/one", "investigating"); got != 200 {
		f.t.Errorf("the problem was told %d times, want 200 in one incident", got)
	}
	s.accepted(f.key(), f.body(end))
	s.settled(60 * time.Second)
	if got := s.countOf(f.kind+"/one", "resolved"); got < 200 {
		f.t.Errorf("after its end: %d, want the same incident resolved", got)
	}
	f.refusesChanges(s, problem)
}

// accepted sends a body that must be promised, at once or for later.
func (s *stack) accepted(key, body string) {
	a, err := s.postTo(s.t.Context(), key, body)
	if err != nil || a.Status != http.StatusOK && a.Status != http.StatusAccepted {
		s.t.Errorf("%d %s (%v), want 200 or 202", a.Status, a.Body, err)
	}
}

// countOf is how often the one incident of an integration was told, if it has
// that status.
func (s *stack) countOf(integration, status string) int {
	incidents := 0
	count := 0
	for _, i := range all[incident](s, "incidents") {
		if i.Integration == integration {
			incidents++
			if i.Status == status {
				count = i.Count
			}
		}
	}
	if incidents != 1 {
		s.t.Errorf("%d incidents of %s, want 1", incidents, integration)
	}
	return count
}

// refusesChanges adds a file to the plugin: what isn't as pinned doesn't start,
// and what runs already serves on.
func (f *foreign) refusesChanges(s *stack, problem string) {
	f.t.Helper()
	file := filepath.Join(f.plugins, f.kind, "1.0.0", "more")
	if err := os.WriteFile(file, []byte("of it"), 0o600); err != nil {
		f.t.Fatal(err)
	}
	out, err := s.tryCLI("plugin", "restart", f.kind)
	if err == nil || !strings.Contains(out, "pinned") {
		f.t.Errorf("a restart after a change: %v, %s; want a refusal", err, out)
	}
	if a, err := s.postTo(f.t.Context(), f.key(), f.body(problem)); err != nil || a.Status != http.StatusOK {
		f.t.Errorf("after that: %d %s (%v), want 200", a.Status, a.Body, err)
	}
}

// begunPluginsPassTheKit begins a plugin in a language from each of the samples,
// and holds it to the contract. ready makes the folder run.
func begunPluginsPassTheKit(t *testing.T, language string, ready func(folder string) error) {
	t.Helper()
	samples, err := filepath.Glob("scaffold/testdata/*.json")
	if err != nil || len(samples) < 10 {
		t.Fatalf("%d samples, %v", len(samples), err)
	}
	for _, sample := range append(samples, "") {
		name := "made-up"
		args := []string{"plugin", "new", "", "-lang", language, "-o", ""}
		if sample != "" {
			name = strings.ReplaceAll(strings.TrimSuffix(filepath.Base(sample), ".json"), "_", "-")
			args = append(args, "-from", sample)
		}
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), name)
			args[2], args[6] = name, folder
			bellcrank := filepath.Join(bin, "bellcrank")
			if out, err := exec.Command(bellcrank, args...).CombinedOutput(); err != nil {
				t.Fatalf("plugin new: %v\n%s", err, out)
			}
			if err := ready(folder); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(bellcrank, "plugin", "test", folder).CombinedOutput(); err != nil {
				t.Errorf("plugin test: %v\n%s", err, out)
			}
		})
	}
}
