package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// wanted is a comment such as `# error 12: text`: a problem of that kind at
// that column of the line that says text. Column 0 is no place at all.
var wanted = regexp.MustCompile(`# (error|warning) (\d+): ([^#\n]*)`)

type expectation struct {
	line, column int
	warning      bool
	text         string
}

func expectations(t *testing.T, path string) []expectation {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []expectation
	for i, line := range strings.Split(string(src), "\n") {
		for _, m := range wanted.FindAllStringSubmatch(line, -1) {
			column, err := strconv.Atoi(m[2])
			if err != nil {
				t.Fatal(err)
			}
			e := expectation{line: i + 1, column: column, warning: m[1] == "warning", text: strings.TrimSpace(m[3])}
			if column == 0 {
				e.line = 0
			}
			all = append(all, e)
		}
	}
	return all
}

func (e expectation) fits(p Problem) bool {
	return e.line == p.Line && e.column == p.Column && e.warning == p.Warning &&
		strings.Contains(p.Summary+"; "+p.Detail, e.text)
}

func TestEveryMistakeIsReportedWhereItStands(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("files %v, %v; want some", files, err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			_, d := Load(source(path))
			rest := expectations(t, path)
			for _, p := range d.Problems() {
				i := slices.IndexFunc(rest, func(e expectation) bool { return e.fits(p) })
				if i < 0 {
					t.Errorf("unexpected: %s", p)
					continue
				}
				rest = slices.Delete(rest, i, i+1)
			}
			for _, e := range rest {
				t.Errorf("missing: %+v", e)
			}
		})
	}
}
