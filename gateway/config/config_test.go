package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"bellcrank.example/sdk"
)

// testSettings is a schema with a setting of each kind.
type testSettings struct {
	Site    string            `json:"site" enum:"eu,us" default:"eu"`
	Service []string          `json:"service_tags"`
	Auto    bool              `json:"auto"`
	Users   int               `json:"users"`
	Tags    []string          `json:"tags"`
	Words   map[string]string `json:"words"`
	Account string            `json:"account" secret:"true"`
}

// mappedSettings is a schema with expressions.
type mappedSettings struct {
	Note    *sdk.Expression `json:"note"`
	Mapping []testMapping   `json:"mapping"`
}

type testMapping struct {
	Name     string          `json:"name" label:"true"`
	When     *sdk.Expression `json:"when" gives:"bool"`
	Resolve  *sdk.Expression `json:"resolve_when" gives:"bool"`
	Title    *sdk.Expression `json:"title" gives:"string" required:"true"`
	Severity *sdk.Expression `json:"severity" gives:"severity"`
	DedupKey *sdk.Expression `json:"dedup_key" gives:"key"`
	Labels   *sdk.Expression `json:"labels" gives:"map"`
	Kind     string          `json:"kind" enum:"a,b"`
}

// described are the plugins that tests know of.
func described(p Plugin) (sdk.Info, bool) {
	info, ok := map[string]sdk.Info{
		"custom":       {Type: "custom", Name: "Custom", Sender: sdk.Human, Headers: []string{"Content-Type"}, Settings: sdk.SettingsOf[mappedSettings]()},
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
	case strings.HasSuffix(name, "PEM"):
		cert, _ := identity()
		return cert, true
	case strings.HasSuffix(name, "CLIENT_KEY"):
		_, private := identity()
		return private, true
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
	if err != nil || len(examples) < 2 {
		t.Fatalf("examples %v, %v; want two or more", examples, err)
	}
	for _, path := range examples {
		if _, d := Load(source(path)); d.HasErrors() {
			t.Errorf("%s:\n%s", path, lines(d))
		}
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(Format(src)) != string(src) {
			t.Errorf("%s isn't laid out as `bellcrank fmt` does", path)
		}
	}
}

func TestTheFullExampleRaisesNoDoubt(t *testing.T) {
	if _, d := Load(source("../../configs/bellcrank.hcl")); len(d.Problems()) > 0 {
		t.Errorf("problems:\n%s", lines(d))
	}
}

// written lists "block.argument" and "block" for all that a file contains.
func written(body *hclsyntax.Body, path string, into map[string]bool) {
	for name := range body.Attributes {
		into[strings.TrimPrefix(path+"."+name, ".")] = true
	}
	for _, inner := range body.Blocks {
		at := strings.TrimPrefix(path+"."+inner.Type, ".")
		into[at] = true
		written(inner.Body, at, into)
	}
}

func TestEverySettingIsInTheFullExampleAndTheReference(t *testing.T) {
	src, err := os.ReadFile("../../configs/bellcrank.hcl")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	file, diags := hclsyntax.ParseConfig(src, "bellcrank.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	have := map[string]bool{}
	written(file.Body.(*hclsyntax.Body), "", have)
	for kind, s := range shapes {
		for _, name := range append(slices.Clone(s.arguments), slices.Collect(maps.Keys(s.blocks))...) {
			if full := strings.TrimPrefix(kind+"."+name, "."); !have[full] {
				t.Errorf("%s isn't in bellcrank.hcl", full)
			}
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("`%s` of %q isn't in docs/configuration.md", name, kind)
			}
		}
	}
	for name := range incidentType().AttributeTypes() {
		if !strings.Contains(string(page), "`incident."+name) {
			t.Errorf("`incident.%s` isn't in docs/configuration.md", name)
		}
	}
	for name := range newLoader(Source{}).functions("x") {
		if !strings.Contains(string(page), "`"+name+"(") {
			t.Errorf("the function %s isn't in docs/configuration.md", name)
		}
	}
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
