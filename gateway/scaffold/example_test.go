package scaffold

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bellcrank.example/sdk/sdktest"
)

const example = "../../examples/adapter-go"

// TestTheExampleBuildsAndPassesTheKit does so outside of this module, as its
// readers will.
func TestTheExampleBuildsAndPassesTheKit(t *testing.T) {
	executable := filepath.Join(t.TempDir(), "lighthouse")
	inFolder(t, example, "vet", ".")
	inFolder(t, example, "test", ".")
	inFolder(t, example, "build", "-o", executable, ".")
	report, err := sdktest.CheckProcess(t.Context(), sdktest.Process{Path: executable, Cases: filepath.Join(example, "testdata")})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Checks) < 12 {
		t.Errorf("only %d checks", len(report.Checks))
	}
	for _, c := range report.Checks {
		if len(c.Complaints) > 0 {
			t.Errorf("%s: %q", c.Name, c.Complaints)
		}
	}
}

// TestTheExampleRequiresWhatANewPluginDoes holds the example's go.mod and
// go.sum to those that `plugin new` writes. UPDATE=1 writes them.
func TestTheExampleRequiresWhatANewPluginDoes(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	files, err := goModule(&Plugin{Config: Config{Name: "lighthouse", SDK: root}})
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range files {
		want := bytes.ReplaceAll(f.content, []byte(root), []byte("../.."))
		path := filepath.Join(example, name)
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is\n%s\n%v; want\n%s\n(UPDATE=1 writes it)", path, got, err, strings.TrimSpace(string(want)))
		}
	}
}
