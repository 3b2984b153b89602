package sdktest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// folder is where executables are built.
var folder string

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "broken-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// executable builds the plugin that breaks promises, once.
var executable = sync.OnceValues(func() (string, error) { return build("broken") })

func build(name string) (string, error) {
	path := filepath.Join(folder, name)
	cmd := exec.Command("go", "build", "-o", path, "./testdata/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return path, cmd.Run()
}

func check(t *testing.T, args ...string) *Report {
	t.Helper()
	path, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	report, err := CheckProcess(t.Context(), Process{Path: path, Args: args, Cases: filepath.Join("testdata", "broken", "cases")})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestAProcessThatKeepsItsPromisesPasses(t *testing.T) {
	report := check(t)
	for _, c := range report.Checks {
		if len(c.Complaints) > 0 {
			t.Errorf("%s: %q", c.Name, c.Complaints)
		}
	}
	if len(report.Checks) < 12 || report.Failed() != 0 {
		t.Errorf("%d checks, %d failed; want a dozen and none", len(report.Checks), report.Failed())
	}
}

func TestEachBrokenProcessFailsForItsReason(t *testing.T) {
	tests := map[string]struct{ check, says string }{
		"crash":       {"hostile bodies", "crashed"},
		"panic":       {"hostile bodies", "no name"},
		"empty":       {"hostile bodies", "an empty success"},
		"blame":       {"hostile bodies", "blames the adapter"},
		"counts":      {"samples", ""},
		"mixes":       {"ways/exchange", "among others the answer is another one"},
		"pair":        {"pairs", "name_resolved resolves"},
		"golden":      {"cases/name_firing", `events[0].service: want nothing, got "unexpected"`},
		"samples":     {"samples", "want events"},
		"description": {"description", "Summary is empty"},
		"two faces":   {"process/describes itself alike", `name: want "Another", got "Broken"`},
		"file":        {"process/no files and no network", "wrote $HOME/spool"},
		"network":     {"process/no files and no network", "tcp socket"},
		"stays":       {"process/ends when it is told to", "had to be killed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := check(t, name)
			if name == "counts" { // wherever an answer is asked for twice
				if report.Failed() == 0 {
					t.Error("nothing noticed that no two answers are alike")
				}
				return
			}
			i := slices.IndexFunc(report.Checks, func(c Check) bool { return c.Name == tt.check })
			if i < 0 || !strings.Contains(strings.Join(report.Checks[i].Complaints, "\n"), tt.says) {
				t.Errorf("%s doesn't say %q: %+v", tt.check, tt.says, report.Checks)
			}
		})
	}
}

// TestAPluginOfTheFirstContractStillPasses runs one that was built against the
// first version of the contract, and not with this SDK.
func TestAPluginOfTheFirstContractStillPasses(t *testing.T) {
	path, err := build("v1")
	if err != nil {
		t.Fatal(err)
	}
	report, err := CheckProcess(t.Context(), Process{Path: path, Cases: filepath.Join("testdata", "broken", "cases")})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Checks {
		if len(c.Complaints) > 0 {
			t.Errorf("%s: %q", c.Name, c.Complaints)
		}
	}
}
