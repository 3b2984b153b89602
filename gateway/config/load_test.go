package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination"
	"bellcrank.example/core/route"
	"bellcrank.example/sdk"
)

// full loads the example that has every setting.
func full(t *testing.T) *Config {
	t.Helper()
	c, d := Load(source("../../configs/bellcrank.hcl"))
	if d.HasErrors() {
		t.Fatal(lines(d))
	}
	return c
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("%s = %s\nwant %s", what, g, w)
	}
}

func TestTheProcessIsConfigured(t *testing.T) {
	c := full(t)
	same(t, "PublicURL", c.PublicURL, "https://alerts.example.com")
	same(t, "Ingest.Address", c.Ingest.Address, "0.0.0.0:8080")
	same(t, "Ingest.TrustedProxies", fmt.Sprint(c.Ingest.TrustedProxies), "[10.0.0.0/8]")
	same(t, "Ingest.MaxBodies", c.Ingest.MaxBodies, 128<<20)
	same(t, "Admin.IdleTimeout", c.Admin.IdleTimeout, 75*time.Second)
	same(t, "PluginCgroup", c.PluginCgroup, "auto")
	same(t, "Storage", c.Storage, Storage{Type: "sqlite", Path: "/var/lib/bellcrank/bellcrank.db"})
	same(t, "Telemetry", c.Telemetry, Telemetry{LogLevel: "info", LogFormat: "text", AccessLog: true})
	same(t, "Retention.Incidents", c.Retention.Incidents, 90*24*time.Hour)
	same(t, "AdminToken", c.AdminToken.Reveal(), "bellcrank-admin-token-0123456789abcdefghij")
}

func TestPluginsAreThoseDeclaredAndThoseInUse(t *testing.T) {
	c := full(t)
	var names []string
	for _, p := range c.Plugins {
		names = append(names, p.Name)
	}
	same(t, "names", names, []string{"acme", "datadog", "sentry", "custom"})
	acme := c.Plugins[0]
	same(t, "acme.Memory", acme.Memory, 128<<20)
	same(t, "acme.Timeout", acme.Timeout, 5*time.Second)
	same(t, "acme.Env", acme.Env["LANG"].Reveal(), "lang-0123456789abcdefghij")
	if !acme.Declared || c.Plugins[1].Declared {
		t.Error("acme is declared and datadog isn't")
	}
}

func TestIntegrationsAreConfigured(t *testing.T) {
	c := full(t)
	in := c.Integrations[0]
	same(t, "ID", in.ID(), "datadog/prod")
	same(t, "Tenant", in.Tenant, core.DefaultTenant)
	same(t, "Plugin", in.Plugin, "datadog")
	same(t, "Info.Name", in.Info.Name, "Datadog")
	same(t, "Keys[0]", in.Keys[0].Value.Reveal(), "bellcrank-key-datadog-0123456789abcdefghij")
	same(t, "Keys[1].SHA256", fmt.Sprintf("%x", in.Keys[1].SHA256), "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae")
	same(t, "Keys[1].Expires", in.Keys[1].Expires, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
	same(t, "Settings", string(in.Settings), `{"service_tags":["service","kube_service"]}`)
	same(t, "Severity.Map", in.Severity.Map, map[string]sdk.Severity{"p1": sdk.Critical, "p2": sdk.High})
	same(t, "Severity.Default", in.Severity.Default, sdk.Medium)
	same(t, "Identity", in.Identity, core.IdentityPolicy{Fields: []string{"service", "labels.alertname"}})
	same(t, "EventTime", in.Info.EventTime, sdk.Observed)
	same(t, "Service", in.Service, core.ServicePolicy{Map: map[string]string{"checkout-*": "checkout"}, Default: "api"})
	same(t, "Labels", in.Labels, map[string]string{"team": "sre"})
	same(t, "ReopenWindow", in.ReopenWindow, core.DefaultReopenWindow)
	same(t, "signing secret", c.Integrations[1].SigningSecrets[0].Reveal(), "sentry-client-secret-0123456789abcdefghij")
	same(t, "VerifyNone", c.Integrations[2].VerifyNone, true)
	same(t, "acme's plugin", c.Integrations[3].Plugin, "acme")
	same(t, "zabbix's sender", c.Integrations[4].Info.Sender, sdk.Machine)
}

func TestDestinationsAreConfigured(t *testing.T) {
	c := full(t)
	crm, audit := c.Destinations[0], c.Destinations[1]
	same(t, "ID", crm.ID(), "webhook/crm")
	policy := core.DefaultRetry()
	policy.MaxAge, policy.Notify = 7*24*time.Hour, "log/audit"
	same(t, "Retry", crm.Retry, policy)
	same(t, "Concurrency, Pace", []any{crm.Concurrency, crm.Pace}, []any{8, time.Second / 30})
	filter := c.Filters["webhook/crm"]
	same(t, "Filter", []any{filter.Match.Titles, filter.When != nil}, []any{[]string{"*"}, true})
	same(t, "audit's filter", c.Filters["log/audit"], route.Filter{})
	same(t, "Events", crm.Events, core.Kinds())
	same(t, "Notify, Tests, Fold", []bool{crm.Notify, crm.Tests, crm.Fold}, []bool{true, false, true})
	same(t, "Timeout", crm.Timeout, core.DefaultAttemptTimeout)
	same(t, "audit", []any{audit.Tests, audit.Fold, audit.Events, audit.Timeout}, []any{true, true, []core.Kind(nil), core.DefaultAttemptTimeout})
	if crm.Sender == nil || audit.Sender == nil {
		t.Error("a destination has no sender")
	}
}

func TestRoutesLeadWhereTheyShould(t *testing.T) {
	c := full(t)
	tree, err := route.New(route.Config{Routes: c.Routes, Destinations: c.Destinations})
	if err != nil {
		t.Fatal(err)
	}
	in := &core.Incident{
		Integration: "datadog/prod", Severity: sdk.High, Service: "checkout-web", Title: "x",
		Labels: map[string]string{"team": "sre", "tier": "1"},
	}
	for _, d := range tree.Explain(in) {
		if d.Route == "page" && (!d.Matched || d.Err != nil) {
			t.Errorf("page: %+v, want a match", d)
		}
	}
	delete(in.Labels, "tier")
	if d := tree.Explain(in)[0]; d.Matched || d.Reason != "when" {
		t.Errorf("page without tier: %+v, want no match because of when", d)
	}
	same(t, "rest", tree.Match(in), []string{"webhook/crm", "log/audit"})
}

func TestLimitsAreTheDefaultsThenTheAdaptersThenTheOperators(t *testing.T) {
	c, d := load(t, `
integration "alertmanager" "a" {
  routing_key "a" {
    value = env("KEY_A")
  }
  limits {
    events = 7
  }
}
destination "log" "a" {}
route "rest" {
  to = [destination.log.a]
}`)
	if d.HasErrors() {
		t.Fatal(lines(d))
	}
	same(t, "Limits", c.Integrations[0].Limits, sdk.Limits{Body: 16 << 20, Depth: 64, Members: 200_000, Strings: 400_000, Events: 7})
}

func TestSettingsKeepTheirTypes(t *testing.T) {
	c, d := load(t, `
integration "datadog" "a" {
  routing_key "a" {
    value = env("KEY_A")
  }
  settings {
    site    = "us"
    auto    = true
    users   = 12345678901234567
    tags    = []
    words   = { a = "ü", b = 1 }
    account = env("ACCOUNT")
  }
}
destination "log" "a" {
  send_resolved = false
}
destination "log" "b" {
  send_resolved = false
  events        = ["created", "resolved"]
  retry         = "slow"
}
retry "slow" {
  schedule = ["0s", "1d"]
}
route "rest" {
  to = [destination.log.a]
}`)
	if d.HasErrors() {
		t.Fatal(lines(d))
	}
	same(t, "Settings", string(c.Integrations[0].Settings),
		`{"account":"account-0123456789abcdefghij","auto":true,"site":"us","tags":[],"users":12345678901234567,"words":{"a":"ü","b":"1"}}`)
	same(t, "all but resolved", c.Destinations[0].Events, []core.Kind{core.Created, core.Updated, core.Escalated, core.AckedKind, core.Reopened})
	same(t, "without resolved", c.Destinations[1].Events, []core.Kind{core.Created})
	same(t, "slow", c.Destinations[1].Retry, core.Retry{
		Name: "slow", Schedule: []time.Duration{0, 24 * time.Hour}, Jitter: 0.1, OnExhausted: "disable",
	})
}

func TestFoldersAreReadInOrder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"10-first.hcl":       "name = \"a\"\ndestination \"log\" \"a\" {}\n",
		"20-json.hcl.json":   `{"environment": "${env(\"PLACE\")}", "route": {"rest": {"to": "${[destination.log.a]}"}}}`,
		"30-again.hcl":       "name = \"b\"\ndestination \"log\" \"a\" {}\n",
		".hidden.hcl":        "x = 1",
		"#10-first.hcl":      "x = 1",
		"10-first.hcl~":      "x = 1",
		"notes.txt":          "x = 1",
		LockName:             "x = 1",
		"below.d/nested.hcl": "x = 1",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, d := Load(source(dir))
	var names []string
	for _, f := range c.Files {
		names = append(names, filepath.Base(f))
	}
	same(t, "Files", names, []string{"10-first.hcl", "20-json.hcl.json", "30-again.hcl"})
	same(t, "Environment", c.Environment, "place-0123456789abcdefghij")
	got := strings.ReplaceAll(lines(d), dir+"/", "")
	for _, want := range []string{
		`error 30-again.hcl:1,1: Duplicate argument; Argument "name" was already set at 10-first.hcl:1,1-5`,
		`error 30-again.hcl:2,1: Duplicate destination log/a; There is one already at 10-first.hcl:2,1-22.`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %s", got, want)
		}
	}
	if n := len(d.Problems()); n != 2 {
		t.Errorf("%d problems, want 2:\n%s", n, got)
	}
}

func TestNothingToReadIsAMistake(t *testing.T) {
	for name, paths := range map[string][]string{
		"no path": nil, "no file": {filepath.Join(t.TempDir(), "x.hcl")}, "empty folder": {t.TempDir()},
	} {
		if _, d := Load(source(paths...)); d.Err() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestFilesAreRelativeToTheFileThatNamesThem(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte("a-key-that-comes-from-a-file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x.hcl")
	if err := os.WriteFile(path, []byte(`
data_dir    = "data"
name        = env("MISSING", "fallback")
environment = upper(trimspace(" ${join("-", [lower("A"), "b"])} "))
integration "custom" "a" {
  routing_key "a" {
    value = file("key")
  }
}
destination "log" "a" {}
route "rest" {
  to = [destination.log.a]
}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c, d := Load(source(path))
	if d.HasErrors() {
		t.Fatal(lines(d))
	}
	same(t, "key", c.Integrations[0].Keys[0].Value.Reveal(), "a-key-that-comes-from-a-file")
	same(t, "DataDir", c.DataDir, filepath.Join(dir, "data"))
	same(t, "Storage.Path", c.Storage.Path, filepath.Join(dir, "data", "bellcrank.db"))
	same(t, "Name", c.Name, "fallback")
	same(t, "Environment", c.Environment, "A-B")
	same(t, "LockFile", LockFile([]string{path}), filepath.Join(dir, LockName))
	same(t, "LockFile of a folder", LockFile([]string{dir}), filepath.Join(dir, LockName))
}

func TestSecretsAreNeverShown(t *testing.T) {
	const secret = "hunter2-hunter2-hunter2-hunter2"
	text := strings.ReplaceAll(`
locals {
  shared = "SECRET"
  broken = local.shared + 1
}
admin {
  token = "SECRET"
}
integration "sentry" "a" {
  signing_secrets = ["SECRET", 5, [local.shared]]
  routing_key "a" {
    value = "SECRET"
  }
  routing_key "b" {
    value = "bck_SECRET"
  }
  routing_key "c" {
    value = "SECRET ${local.shared}"
  }
  routing_key "d" {
    value = local.shared[env("ENV_SECRET")]
  }
}
integration "datadog" "b" {
  settings {
    account = { a = "SECRET" }
  }
}
destination "webhook" "a" {
  settings {
    url             = "ftp://SECRET@example.com/"
    signing_secrets = ["SECRET", local.shared, env("ENV_SECRET")]
    headers         = { "Authorization" = "SECRET", "X y" = "SECRET" }
  }
}
destination "webhook" "b" {
  retry   = jsondecode(env("ENV_SECRET"))
  timeout = 5
  settings {
    url             = "https://example.com/"
    signing_secrets = [env("ENV_SECRET")]
  }
}
route "rest" {
  when = local.shared
  to   = [destination.webhook.a]
}
`, "SECRET", secret)
	text = strings.ReplaceAll(text, "ENV_"+secret, "ENV_SECRET")
	for name, text := range map[string]string{
		"mistakes": text, "no HCL": "admin {\n  token = \"" + secret + "\" \"x\"\n  value = \"" + secret + "\n}\n",
	} {
		path := filepath.Join(t.TempDir(), "x.hcl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		src := source(path)
		src.Getenv = func(string) (string, bool) { return secret, true }
		c, d := Load(src)
		if len(d.Problems()) == 0 {
			t.Errorf("%s: no problems", name)
		}
		var shown strings.Builder
		if err := d.Write(&shown, 80, true); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&shown, lines(d), d.Err())
		fmt.Fprintf(&shown, "%v %+v %#v", c, c, c)
		encoded, err := json.Marshal(c.AdminToken)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(encoded)
		for line := range strings.Lines(shown.String()) {
			if strings.Contains(line, "hunter2") {
				t.Errorf("%s: shown: %s", name, line)
			}
		}
	}
}

func TestAValidConfigurationShowsNoSecretEither(t *testing.T) {
	c := full(t)
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		all := fmt.Sprintf(verb+verb+verb, *c, c.Integrations[0], c.Destinations[0])
		if strings.Contains(all, "0123456789abcdefghij") {
			t.Errorf("%s shows a secret: %s", verb, all)
		}
	}
}

func TestJSONIsReadLikeHCL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.hcl.json")
	writeFile(t, path, `{
  "integration": {"custom": {"a": {"routing_key": {
    "env": {"value": "${env(\"KEY_A\")}"},
    "literal": {"value": "hunter2-hunter2-hunter2"},
    "missing": {"value": "${env(\"MISSING\")}"}
  }}}},
  "destination": {"log": {"a": {"retry": "${retry.defaults}"}, "b": {"notify": true}}},
  "route": {"one": {"when": "${incident.test}", "to": ["log/a"]}, "rest": {"to": "${[destination.log.a]}"}}
}`)
	c, d := Load(source(path))
	var shown strings.Builder
	if err := d.Write(&shown, 80, false); err != nil {
		t.Fatal(err)
	}
	same(t, "problems", lines(d), strings.Join([]string{
		"warning x.hcl.json:4,26: Secret in the file; Whoever can read the file can use it. Keep it elsewhere and write env(\"NAME\") or file(\"PATH\").",
		"error x.hcl.json:4,26: Invalid routing key; A key needs 24 characters, this one has 23.",
		"error x.hcl.json:5,34: Missing value; Environment variable MISSING isn't set.",
		"error x.hcl.json:7,45: Unknown retry; There is no retry defaults; did you mean default?",
	}, "\n"))
	if strings.Contains(shown.String(), "hunter2") {
		t.Errorf("a secret is shown:\n%s", shown.String())
	}
	same(t, "key", c.Integrations[0].Keys[0].Value.Reveal(), "key-a-0123456789abcdefghij")
	if ok, err := c.Routes[0].When(&core.Incident{Test: true}); !ok || err != nil {
		t.Errorf("when = %v, %v; want true", ok, err)
	}
}

func TestCheckingMakesNoSenders(t *testing.T) {
	src := source("../../configs/bellcrank.hcl")
	var made []string
	src.NewSender = func(kind destination.Type, cfg destination.Config) (core.Sender, error) {
		made = append(made, kind.Name+" "+fmt.Sprint(cfg.AllowedCIDRs))
		return nil, nil
	}
	c, d := Load(src)
	if d.HasErrors() {
		t.Fatal(lines(d))
	}
	same(t, "asked for", made, []string{"webhook [10.20.0.0/16]", "log []"})
	if slices.ContainsFunc(c.Destinations, func(d *core.Destination) bool { return d.Sender != nil }) {
		t.Error("a sender was made")
	}
}

func TestUnits(t *testing.T) {
	durations := map[string]time.Duration{
		"0s": 0, "250ms": 250 * time.Millisecond, "90s": 90 * time.Second, "1h30m": 90 * time.Minute,
		"14d": 14 * 24 * time.Hour, "1d12h": 36 * time.Hour,
		"": -1, "5": -1, "d": -1, "-1d": -1, "-5s": -1, "1.5d": -1, "1h1d": -1, "99999999d": -1, "1d-1s": -1, "1w": -1,
	}
	for in, want := range durations {
		if got, err := parseDuration(in); got != want && (want >= 0 || err == nil) {
			t.Errorf("parseDuration(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	sizes := map[string]int64{
		"7": 7, "1KiB": 1024, "4 MiB": 4 << 20, "2GiB": 2 << 30, "": -1, "1KB": -1, "-1": -1, "1.5MiB": -1, "9999999999999GiB": -1,
	}
	for in, want := range sizes {
		if got, err := parseSize(in); got != want && (want >= 0 || err == nil) {
			t.Errorf("parseSize(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, glob := range []string{"testdata/errors/*.hcl", "../../configs/*.hcl"} {
		paths, err := filepath.Glob(glob)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			src, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src, false)
		}
	}
	f.Add([]byte(`{"name": "${env(\"X\")}", "admin": [{"token": "a"}], "route": {"a": {"to": ["log/a"]}}}`), true)
	f.Fuzz(func(t *testing.T, src []byte, asJSON bool) {
		path := filepath.Join(t.TempDir(), "x.hcl")
		if asJSON {
			path += ".json"
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s := source(path)
		s.ReadFile = func(string) ([]byte, error) { return src, nil }
		c, d := Load(s)
		if err := d.Write(&strings.Builder{}, 80, false); err != nil {
			t.Fatal(err)
		}
		if !d.HasErrors() {
			if _, err := route.New(route.Config{Routes: c.Routes, Destinations: c.Destinations}); err != nil {
				t.Errorf("Load took what route.New refuses: %v", err)
			}
		}
		Format(src)
	})
}
