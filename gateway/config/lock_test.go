package config

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core/pluginhost"
	"bellcrank.example/sdk"
)

func TestALockFileKeepsWhatPluginsDeclare(t *testing.T) {
	want := &pluginhost.Lock{Plugins: []pluginhost.LockEntry{
		{
			Name: "acme", Type: "acme", Version: "1.2.0", Contract: 1,
			SHA256: map[string]string{"linux/amd64": strings.Repeat("ab", 32), "linux/arm64": strings.Repeat("cd", 32)},
			Info: sdk.Info{
				Type: "acme", Name: "Acme ${x} %{y}", Version: "1.2.0", Methods: []string{http.MethodPost},
				Signatures: []sdk.SignatureScheme{{Name: "hmac", Kind: sdk.SchemeHMAC, Tolerance: 5 * time.Minute}},
				Settings:   sdk.SettingsOf[testSettings](),
				Limits:     sdk.Limits{Body: 16 << 20},
				Samples:    []sdk.Sample{{Name: "one", Body: json.RawMessage(`{"id":12345678901234567,"list":[1,"a",null],"nothing":{}}`)}},
				Setup:      "1. Open it.\n2. Paste `{{url}}`.\n",
			},
		},
		{Name: "bare", Type: "bare", Version: "0.1.0", Contract: 1, SHA256: map[string]string{}, Info: sdk.Info{Type: "bare"}},
	}}
	src, err := FormatLock(want)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), LockName)
	if err := os.WriteFile(path, src, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadLock(path)
	if err != nil {
		t.Fatalf("%v in\n%s", err, src)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v\nfrom %s", got, want, src)
	}
	if string(Format(src)) != string(src) {
		t.Errorf("the lock file isn't in the usual layout:\n%s", src)
	}
}

func TestTheFirstLockThatHasAPluginDescribesIt(t *testing.T) {
	own := &pluginhost.Lock{Plugins: []pluginhost.LockEntry{
		{Type: "a", Version: "1", Info: sdk.Info{Type: "a", Version: "1"}},
		{Type: "a", Version: "2", Info: sdk.Info{Type: "a", Version: "2"}},
	}}
	builtin := &pluginhost.Lock{Plugins: []pluginhost.LockEntry{
		{Type: "a", Version: "0", Info: sdk.Info{Type: "a", Version: "0"}},
		{Type: "b", Version: "7", Info: sdk.Info{Type: "b", Version: "7"}},
	}}
	describe := Described(nil, own, builtin)
	tests := map[string]struct {
		plugin Plugin
		want   string
	}{
		"the newest":        {Plugin{Type: "a"}, "2"},
		"the version asked": {Plugin{Type: "a", Version: "1"}, "1"},
		"from the second":   {Plugin{Type: "b"}, "7"},
		"nobody knows it":   {Plugin{Type: "c"}, ""},
		"another version":   {Plugin{Type: "b", Version: "8"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if info, ok := describe(tt.plugin); info.Version != tt.want || ok != (tt.want != "") {
				t.Errorf("Describe(%+v) = %q, %v; want %q", tt.plugin, info.Version, ok, tt.want)
			}
		})
	}
}

func TestReadLock(t *testing.T) {
	if l, err := ReadLock(filepath.Join(t.TempDir(), LockName)); err != nil || len(l.Plugins) != 0 {
		t.Errorf("a lock file that isn't there: %+v, %v; want an empty lock", l, err)
	}
	for name, src := range map[string]string{
		"no HCL":            `plugin "`,
		"missing arguments": `plugin "a" {}`,
		"another block":     `plug "a" {}`,
		"wrong types":       `plugin "a" { ` + "\n" + `type = "a"` + "\n" + `version = "1"` + "\n" + `contract = "x"` + "\n" + `sha256 = {}` + "\n" + `declares = {}` + "\n}",
	} {
		if l, err := parseLock([]byte(src), "x.hcl"); err == nil {
			t.Errorf("%s: %+v, want an error", name, l)
		}
	}
}
