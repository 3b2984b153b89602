package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "bellcrank.example"

// governed are the outside packages that only some rooms may use, by the word
// that the table uses for them.
var governed = map[string]string{
	"github.com/gofiber/fiber":       "fiber",
	"github.com/valyala/fasthttp":    "fiber",
	"github.com/ncruces/go-sqlite3":  "sqlite",
	"modernc.org/sqlite":             "sqlite",
	"github.com/mattn/go-sqlite3":    "sqlite",
	"github.com/jackc/pgx":           "postgres",
	"github.com/hashicorp/go-plugin": "go-plugin",
	"google.golang.org/grpc":         "grpc",
	"github.com/hashicorp/hcl":       "hcl",
	"github.com/hashicorp/go-hclog":  "hclog",

	// They bring some seventy modules along, which the gateway does without.
	"github.com/prometheus/alertmanager/config": "notifiers",
	"github.com/prometheus/alertmanager/notify": "notifiers",
}

// anything lets a room import every other one, and all that is governed.
const anything = "everything"

// rooms says who may import whom, by folder below the module. A name that ends
// in "/*" stands for the folders below it, the longest name wins. What isn't
// here is refused.
var rooms = map[string][]string{
	".": {},

	"sdk":                 {},
	"sdk/proto/*":         {},
	"sdk/internal/wire":   {"sdk", "sdk/internal/wire/*", "grpc"},
	"sdk/internal/wire/*": {"grpc"},
	"sdk/serve":           {"sdk", "sdk/internal/wire", "sdk/internal/wire/*", "go-plugin", "grpc", "hclog"},
	"sdk/client":          {"sdk", "sdk/internal/wire", "sdk/internal/wire/*", "go-plugin", "grpc", "hclog"},
	"sdk/sdktest":         {"sdk", "sdk/serve", "sdk/client"},
	"sdk/sdktest/*":       {"sdk", "sdk/serve"}, // plugins that its tests build
	"sdk/expr":            {"sdk", "hcl"},

	"sdk/sdktest/testdata/v1": {"go-plugin", "grpc"}, // knows nothing of today's SDK

	"plugins/internal/bench": {"core/pluginhost", "core/pluginhost/sandbox", "sdk", "sdk/client", "plugins/internal/alerts", "gateway/memory", "fiber"},

	"plugins/*":        {"sdk", "sdk/serve", "sdk/expr", "plugins/internal/*"},
	"plugins/notifier": {"sdk", "sdk/serve", "notifiers"},
	"examples/*":       {"sdk", "sdk/serve", "sdk/expr"},

	"core":                 {"sdk"},
	"core/keyring":         {"core", "sdk"},
	"core/keyring/snstest": {},
	"core/intake":          {"core", "sdk"},
	"core/route":           {"core", "sdk"},
	"core/dispatch":        {"core", "sdk"},
	"core/health":          {"core", "sdk"},
	"core/drift":           {"core", "sdk"},
	"core/schedule":        {"core", "sdk"},
	"core/fetch":           {"core", "core/keyring", "core/destination/transport"},
	"core/pluginhost":      {"core", "core/pluginhost/sandbox", "core/pluginhost/cgroup", "sdk", "sdk/client", "go-plugin", "grpc", "hclog"},

	"core/pluginhost/cgroup":            {},
	"core/pluginhost/cgroup/cgrouptest": {},
	"core/pluginhost/sandbox":           {},

	"core/pluginhost/*":    {"sdk", "sdk/serve", "go-plugin", "grpc"}, // plugins that its tests build
	"core/destination":     {"core", "sdk", "core/destination/*"},
	"core/destination/*":   {"core", "sdk", "core/destination/transport", "core/destination/wording", "core/destination/board", "core/destination/vendor"},
	"core/store":           {"core", "sdk", "core/store/engine", "core/store/sqlite", "core/store/postgres", "core/intake", "core/dispatch", "core/health"},
	"core/store/engine":    {"core", "sdk", "core/intake", "core/dispatch", "core/health"},
	"core/store/sqlite":    {"core", "sdk", "core/store/engine", "core/intake", "core/dispatch", "core/health", "sqlite"},
	"core/store/postgres":  {"core", "sdk", "core/store/engine", "core/intake", "core/dispatch", "core/health", "postgres"},
	"core/store/storetest": {"core", "sdk", "core/store/engine", "core/intake", "core/dispatch", "core/health"},

	"gateway/server":      {"core", "fiber"},
	"gateway/webhook":     {"core", "core/*", "sdk", "gateway/server", "fiber"},
	"gateway/admin":       {"core", "core/*", "sdk", "gateway/server", "fiber"},
	"gateway/dashboard":   {"core", "core/*", "sdk", "gateway/server", "fiber"},
	"gateway/config":      {"core", "core/*", "sdk", "sdk/expr", "hcl"},
	"gateway/redact":      {},
	"gateway/memory":      {},
	"gateway/scaffold":    {".", "sdk"},
	"gateway/app":         {anything},
	"gateway/gatewaytest": {},
	"gateway/cli":         {anything},
	"gateway":             {"gateway/cli"},
}

// forTests are the rooms that every room's tests may import.
var forTests = []string{
	"sdk/sdktest", "sdk/serve", "core/store/storetest", "core/keyring/snstest", "core/pluginhost/cgroup/cgrouptest", "core/destination/destinationtest",
	"gateway/gatewaytest",
}

// TestImportTable holds the imports of every file to the table.
func TestImportTable(t *testing.T) {
	for _, file := range goFiles(t, "..") {
		folder := filepath.ToSlash(filepath.Dir(file))
		allowed, ok := row(folder)
		if !ok {
			t.Errorf("%s: the folder %s has no row in the import table", file, folder)
			continue
		}
		if strings.HasSuffix(file, "_test.go") {
			allowed = append(slices.Clone(allowed), append(forTests, folder)...)
		}
		for _, path := range imports(t, filepath.Join("..", file)) {
			if word := concerns(path); word != "" && word != folder && !permits(allowed, word) {
				t.Errorf("%s imports %s: %s may import only %v", file, path, folder, allowed)
			}
		}
	}
}

// concerns returns the table's word for an import, "" if it isn't governed.
func concerns(path string) string {
	if path == module {
		return "."
	}
	if room, ok := strings.CutPrefix(path, module+"/"); ok {
		return room
	}
	for prefix, word := range governed {
		if path == prefix || strings.HasPrefix(path, prefix+"/") {
			return word
		}
	}
	return ""
}

func permits(allowed []string, word string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		folder, below := strings.CutSuffix(a, "/*")
		return a == anything || a == word || below && strings.HasPrefix(word, folder+"/")
	})
}

// row finds the row of a folder: its own, else the longest "/*" above it.
func row(folder string) ([]string, bool) {
	if allowed, ok := rooms[folder]; ok {
		return allowed, true
	}
	for above := folder; above != "."; {
		above = filepath.ToSlash(filepath.Dir(above))
		if allowed, ok := rooms[above+"/*"]; ok {
			return allowed, true
		}
	}
	return nil, false
}

// goFiles lists the module's Go files, relative to root.
func goFiles(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root {
			_, err := os.Stat(filepath.Join(path, "go.mod"))
			if err == nil || strings.HasPrefix(d.Name(), ".") || d.Name() == "bin" {
				return fs.SkipDir // another module, or no source
			}
		}
		if strings.HasSuffix(path, ".go") {
			relative, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			files = append(files, relative)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("only %d Go files found below %s", len(files), root)
	}
	return files
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, spec := range parsed.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(fmt.Errorf("%s: %w", file, err))
		}
		paths = append(paths, path)
	}
	return paths
}

// TestMinimumVersions holds dependencies above versions with known faults.
func TestMinimumVersions(t *testing.T) {
	minimum := map[string]string{
		"github.com/gofiber/fiber/v2":   "v2.52.15", // five advisories below
		"github.com/valyala/fasthttp":   "v1.77.0",  // GO-2026-4950
		"google.golang.org/grpc":        "v1.82.1",  // GO-2026-4762, GO-2026-6061; go-plugin alone resolves v1.61.0
		"google.golang.org/protobuf":    "v1.33.0",  // GO-2024-2611
		"github.com/klauspost/compress": "v1.18.7",  // GO-2026-5841
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	required := map[string]string{}
	for line := range strings.Lines(string(mod)) {
		if fields := strings.Fields(line); len(fields) >= 2 && strings.HasPrefix(fields[1], "v") {
			required[fields[0]] = fields[1]
		}
	}
	for name, want := range minimum {
		if got := required[name]; got == "" || older(got, want) {
			t.Errorf("%s is at %q, want %s or newer", name, got, want)
		}
	}
}

// older compares plain semantic versions.
func older(a, b string) bool {
	parse := func(v string) (n [3]int) {
		core, _, _ := strings.Cut(strings.TrimPrefix(v, "v"), "-")
		for i, part := range strings.SplitN(core, ".", 3) {
			n[i], _ = strconv.Atoi(part)
		}
		return n
	}
	x, y := parse(a), parse(b)
	return slices.Compare(x[:], y[:]) < 0
}
