package scaffold

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inFolder runs the go command in a folder, without a network.
func inFolder(t *testing.T, folder string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestNewPluginsBuildAndPassTheKit makes a plugin of every kind of sample and
// compiles it. Those that differ in more than a line also meet the kit, with the
// cases that came along. They share one unpacked SDK, which is compiled once.
func TestNewPluginsBuildAndPassTheKit(t *testing.T) {
	dir := t.TempDir()
	first := filepath.Join(dir, "made-up")
	if _, _, err := New(Config{Name: "made-up", Dir: first}); err != nil {
		t.Fatal(err)
	}
	inFolder(t, first, "test", "-ldflags=-s -w", ".")
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			sample, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			folder := filepath.Join(dir, name)
			c := Config{Name: strings.ReplaceAll(name, "_", "-"), Dir: folder, Sample: sample, SDK: filepath.Join(first, sdkFolder)}
			if _, _, err := New(c); err != nil {
				t.Fatal(err)
			}
			if alike := []string{"camel", "own_words", "ends_if_false", "only_text"}; slices.Contains(alike, name) {
				inFolder(t, folder, "vet", ".")
				return
			}
			inFolder(t, folder, "test", "-ldflags=-s -w", ".")
		})
	}
	inFolder(t, first, "vet", ".")
	inFolder(t, first, "build", "-o", "made-up", ".")
}

func TestAFolderIsMadeWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	c := Config{Name: "acme", Dir: filepath.Join(dir, "deep", "acme")}
	_, files, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"main.go", "adapter_test.go", "go.mod", "go.sum", "README.md", ".gitignore", "testdata/problem_firing/want.json"} {
		if !slices.Contains(files, filepath.FromSlash(want)) {
			t.Errorf("%s is missing in %q", want, files)
		}
	}
	if err := os.WriteFile(filepath.Join(c.Dir, "main.go"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := New(c); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("again: %v, want a word that the folder is there", err)
	}
	if got, err := os.ReadFile(filepath.Join(c.Dir, "main.go")); err != nil || string(got) != "mine" {
		t.Errorf("the author's file is %q, %v; want it untouched", got, err)
	}
	c.Dir = filepath.Join(dir, "deep", "acme", "main.go", "below")
	if _, _, err := New(c); err == nil {
		t.Error("a folder below a file was made")
	}
	if left, err := os.ReadDir(filepath.Join(dir, "deep")); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v; want the one folder", left, err)
	}
}

func TestWhatCantBeMadeIsRefused(t *testing.T) {
	tests := map[string]struct {
		config Config
		says   string
	}{
		"capitals":       {Config{Name: "Acme"}, "can't be the name"},
		"a path":         {Config{Name: "../acme"}, "can't be the name"},
		"no name":        {Config{}, "can't be the name"},
		"a long name":    {Config{Name: strings.Repeat("a", 41)}, "can't be the name"},
		"a part's name":  {Config{Name: "testdata"}, "its folder has a part of that name"},
		"language":       {Config{Name: "acme", Language: "cobol"}, `there is no template in "cobol": want go`},
		"no JSON":        {Config{Name: "acme", Sample: []byte("<a/>")}, "the sample is no JSON"},
		"no SDK":         {Config{Name: "acme", SDK: "testdata"}, "want a checkout of bellcrank"},
		"an empty title": {Config{Name: "acme", Sample: []byte(`{"title": ""}`)}, "no text that could be a title"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.config.Dir = filepath.Join(t.TempDir(), "new")
			if _, _, err := New(tt.config); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want it to say %q", err, tt.says)
			}
			if _, err := os.Stat(tt.config.Dir); err == nil {
				t.Error("there is a folder")
			}
		})
	}
}

// TestSDKModulesAreWhatTheSDKImports holds the list of modules in a new
// plugin's go.mod to the packages that it builds.
func TestSDKModulesAreWhatTheSDKImports(t *testing.T) {
	out := inFolder(t, "../..", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}",
		"./sdk/serve", "./sdk/sdktest", "./sdk/client")
	imported := strings.Fields(out)
	slices.Sort(imported)
	if imported = slices.Compact(imported); !slices.Equal(imported, slices.Sorted(slices.Values(sdkModules))) {
		t.Errorf("the SDK imports\n%q, want\n%q: review what is new, then mend sdkModules", imported, sdkModules)
	}
}

// TestTheUnpackedSDKIsWhole holds the SDK in a new folder to the source that
// is embedded, without its tests.
func TestTheUnpackedSDKIsWhole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	if _, _, err := New(Config{Name: "acme", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"sdk.go", "serve/serve.go", "sdktest/sdktest.go", "expr/expr.go", "proto/adapter/v1/adapter.proto", "internal/wire/adapterv1/adapter.pb.go"} {
		want, err := os.ReadFile(filepath.Join("../../sdk", path))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, sdkFolder, "sdk", path))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from ours, or isn't there: %v", path, err)
		}
	}
	tests, err := filepath.Glob(filepath.Join(dir, sdkFolder, "sdk", "*_test.go"))
	if err != nil || len(tests) > 0 {
		t.Errorf("our tests are there: %q, %v", tests, err)
	}
}

// TestEveryLanguageIsBegun looks at what can be seen without the language: the
// parts that are there, and no trace of templates and of the examples. Tests
// with the languages themselves run what is made.
func TestEveryLanguageIsBegun(t *testing.T) {
	parts := map[string][]string{
		"go":     {"main.go", "go.mod"},
		"node":   {"adapter.js", "words.js", "bellcrank.js", "adapter.proto", "plugin.json", "package.json", "package-lock.json"},
		"python": {"adapter.py", "words.py", "bellcrank.py", "adapter.proto", "adapter.desc", "plugin.json"},
	}
	for _, language := range Languages() {
		t.Run(language, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "acme")
			_, files, err := New(Config{Name: "acme", Dir: dir, Language: language})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range append([]string{"README.md", ".gitignore", "testdata/problem_resolved/want.json"}, parts[language]...) {
				if !slices.Contains(files, filepath.FromSlash(want)) {
					t.Errorf("%s is missing in %q", want, files)
				}
			}
			for _, name := range files {
				content, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(content, []byte("{{$")) || bytes.Contains(bytes.ToLower(content), []byte("duplicati")) {
					t.Errorf("%s has a trace of what it was made of", name)
				}
			}
		})
	}
}
