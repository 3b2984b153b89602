package pluginhost

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bellcrank.example/sdk"
)

func manifest() *Lock {
	return &Lock{Plugins: []LockEntry{
		{
			Name: "datadog", Type: "datadog", Version: "1.0.0", Contract: ContractVersion,
			SHA256: map[string]string{"linux/amd64": "aa", "linux/arm64": "bb"},
			Info: sdk.Info{
				Type: "datadog", Name: "Datadog", Version: "1.0.0", Headers: []string{"X-A"}, Limits: sdk.Limits{Body: 4 << 20},
				Signatures: []sdk.SignatureScheme{{Name: "hmac", Kind: sdk.SchemeHMAC}},
			},
		},
		{Name: "sentry", Type: "sentry", Version: "1.0.0"},
		{Name: "sentry", Type: "sentry", Version: "2.0.0"},
	}}
}

func TestAManifestIsReadAsItWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), ManifestName)
	want := manifest()
	if err := WriteManifest(path, want); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	for name, digest := range map[string]string{"any": "", "the one linked": hex.EncodeToString(sum[:])} {
		got, err := ReadManifest(path, digest)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if err := os.WriteFile(path, append(content, ' '), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadManifest(path, hex.EncodeToString(sum[:])); err == nil {
		t.Error("a manifest that was changed is read, want an error")
	}
}

func TestAManifestThatIsMissingOrBroken(t *testing.T) {
	path := filepath.Join(t.TempDir(), ManifestName)
	if _, err := ReadManifest(path, ""); err == nil {
		t.Error("missing: want an error")
	}
	if err := os.WriteFile(path, []byte(`{"plugins":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadManifest(path, ""); err == nil {
		t.Error("broken: want an error")
	}
}

func TestFindTakesTheVersionThatIsAskedFor(t *testing.T) {
	tests := map[string]struct {
		kind, version string
		want          string // version; "" if there is none
	}{
		"one that is there": {"sentry", "1.0.0", "1.0.0"},
		"any is the last":   {"sentry", "", "2.0.0"},
		"another version":   {"sentry", "3.0.0", ""},
		"another type":      {"nagios", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := manifest().Find(tt.kind, tt.version)
			if got.Version != tt.want || ok != (tt.want != "") {
				t.Errorf("Find(%q, %q) = %q, %v; want %q", tt.kind, tt.version, got.Version, ok, tt.want)
			}
		})
	}
}
