package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// pinned is what the tests read of a plugin in the manifest.
type pinned struct {
	Type string
	Info struct {
		Role     string
		Settings []struct{ Name string }
		Samples  []struct{ Name string }
	}
}

// builtIn returns what the adapters in the tree say of themselves, as it was
// recorded when they were pinned.
func builtIn(t *testing.T) []pinned {
	t.Helper()
	return slices.DeleteFunc(manifest(t), func(p pinned) bool { return p.Info.Role != "" })
}

// manifest is all that is pinned.
func manifest(t *testing.T) []pinned {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(bin, "plugins", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Plugins []pinned }
	if err := json.Unmarshal(raw, &manifest); err != nil || len(manifest.Plugins) < len(keys) {
		t.Fatalf("manifest with %d plugins, %v", len(manifest.Plugins), err)
	}
	return manifest.Plugins
}

func TestEverySampleOfEveryAdapterGoesTheWholeWay(t *testing.T) {
	var blocks strings.Builder
	for _, p := range builtIn(t) {
		fmt.Fprintf(&blocks, "integration %q \"samples\" {\n  verify = \"none\"\n  routing_key \"test\" {\n    value = \"test-key-for-samples-of-%s\"\n  }\n}\n", p.Type, p.Type)
	}
	s := newStackWith(t, blocks.String())
	sent := 0
	for _, p := range builtIn(t) {
		for i, sample := range p.Info.Samples {
			args := []string{"integration", "test", p.Type + "/samples", "-sample", sample.Name}
			if i == 0 {
				args = args[:3] // the first goes without its name
			}
			out, err := s.tryCLI(args...)
			if err != nil && !strings.Contains(out, "not answered yet") { // a busy machine's answer: it follows
				t.Errorf("%v: %v %s", args, err, out)
			}
			sent++
		}
	}
	s.settled(60 * time.Second)
	opened := map[string]int{}
	for _, in := range all[incident](s, "incidents") {
		opened[strings.TrimSuffix(in.Integration, "/samples")]++
		if !in.Test {
			t.Errorf("%s of %s isn't marked as a test", in.ID, in.Integration)
		}
		explained(s, in)
	}
	for _, p := range builtIn(t) {
		if opened[p.Type] == 0 {
			t.Errorf("no sample of %s opened an incident", p.Type)
		}
	}
	t.Logf("%d samples opened %v", sent, opened)
}

// explained checks that every step of an incident names what decided it.
func explained(s *stack, in incident) {
	s.t.Helper()
	out := s.cli("incident", "explain", in.ID)
	for what, pattern := range map[string]string{
		"the rule of its identity": `(?m)^  identity +.+, by the rule ".+", within ` + in.Integration + `$`,
		"the rule of its severity": `(?m)^  severity +\w.*, by the rule "\w.+"$`,
		"its adapter":              `(?m)^  adapter +\w+ \d`,
		"its event":                `(?m)^  event +trigger: `,
		"the route it took":        `(?m)^  route all +matched.*, to webhook/sink$`,
		"its delivery":             `(?m)^  to webhook/sink as created: delivered`,
	} {
		if !regexp.MustCompile(pattern).MatchString(out) {
			s.t.Errorf("%s of %s isn't explained by %s:\n%s", in.ID, in.Integration, what, out)
		}
	}
}
