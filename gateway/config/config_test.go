package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bellcrank.example/sdk"
)

// testSettings is a schema with a setting of each kind.
type testSettings struct {
	Site    string            `json:"site" enum:"eu,us" default:"eu"`
	Auto    bool              `json:"auto"`
	Users   int               `json:"users"`
	Tags    []string          `json:"tags"`
	Words   map[string]string `json:"words"`
	Account string            `json:"account" secret:"true"`
}

// described are the plugins that tests know of.
func described(p Plugin) (sdk.Info, bool) {
	info, ok := map[string]sdk.Info{
		"custom":       {Type: "custom", Name: "Custom"},
		"alertmanager": {Type: "alertmanager", Name: "Alertmanager", Limits: sdk.Limits{Body: 16 << 20, Events: 65_536}},
		"datadog":      {Type: "datadog", Name: "Datadog", Settings: sdk.SettingsOf[testSettings]()},
		"sentry":       {Type: "sentry", Name: "Sentry", Signatures: []sdk.SignatureScheme{{Name: "hmac", Kind: sdk.SchemeHMAC}}},
		"acme": {Type: "acme", Name: "Acme", Settings: []sdk.Setting{
			{Name: "region", Type: sdk.TypeString, Required: true},
		}},
	}[p.Type]
	return info, ok
}

// environment is what env reads in tests: keys and secrets that are made from
// the variable's name, unless it says that it isn't there.
func environment(name string) (string, bool) {
	switch {
	case strings.HasPrefix(name, "MISSING"):
		return "", false
	case strings.HasPrefix(name, "SHORT"):
		return "hunter2", true
	case strings.HasSuffix(name, "WHSEC"):
		return "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", true
	case strings.HasSuffix(name, "URL"):
		return "https://example.com/" + strings.ToLower(name), true
	}
	return strings.ToLower(strings.ReplaceAll(name, "_", "-")) + "-0123456789abcdefghij", true
}

func source(paths ...string) Source {
	return Source{Paths: paths, Describe: described, Getenv: environment}
}

// load reads a configuration from text.
func load(t *testing.T, text string) (*Config, *Diagnostics) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bellcrank.hcl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(source(path))
}

// lines returns the diagnostics, a line each, with base names of files.
func lines(d *Diagnostics) string {
	var all []string
	for _, p := range d.Problems() {
		p.File = filepath.Base(p.File)
		kind := "error"
		if p.Warning {
			kind = "warning"
		}
		all = append(all, fmt.Sprintf("%s %s", kind, p))
	}
	return strings.Join(all, "\n")
}

func TestExampleConfigurationsAreRight(t *testing.T) {
	examples, err := filepath.Glob("../../configs/*.hcl")
	if err != nil || len(examples) < 1 {
		t.Fatalf("examples %v, %v; want some", examples, err)
	}
	for _, path := range examples {
		if _, d := Load(source(path)); d.HasErrors() {
			t.Errorf("%s:\n%s", path, lines(d))
		}
	}
}
