package scaffold

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const example = "../../examples/adapter-go"

// TestTheExampleBuildsAndPassesTheKit does so outside of this module, as its
// readers will.
func TestTheExampleBuildsAndPassesTheKit(t *testing.T) {
	inFolder(t, example, "vet", ".")
	inFolder(t, example, "test", "-ldflags=-s -w", ".")
	inFolder(t, example, "build", "-o", filepath.Join(t.TempDir(), "lighthouse"), ".")
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
