package engine

import (
	"encoding/json"
	"strings"
	"testing"

	"bellcrank.example/core"
)

func versionOf(incident core.ID, change func(*core.Incident)) core.Version {
	in := &core.Incident{ID: incident, Title: "disk is full"}
	change(in)
	return core.Version{Incident: incident, Number: 1, Snapshot: in}
}

func TestFreshVersions(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*core.Incident)
		kept   bool
	}{
		"what a version usually has": {func(in *core.Incident) {
			in.Labels = map[string]string{"host": "a"}
			in.Metadata = map[string]any{"n": json.Number("1.50"), "list": []any{"x", true, nil, map[string]any{}}}
		}, true},
		"a number that is decoded otherwise":   {func(in *core.Incident) { in.Metadata = map[string]any{"n": 1} }, false},
		"a list that is decoded otherwise":     {func(in *core.Incident) { in.Metadata = map[string]any{"l": []string{"x"}} }, false},
		"a nested value":                       {func(in *core.Incident) { in.Metadata = map[string]any{"l": []any{map[string]any{"n": 1.5}}} }, false},
		"an empty value of the wrong kind":     {func(in *core.Incident) { in.Metadata = map[string]any{"l": []any(nil)} }, false},
		"a text that JSON can't hold":          {func(in *core.Incident) { in.Title = "\xff" }, false},
		"a metadata text that JSON can't hold": {func(in *core.Incident) { in.Metadata = map[string]any{"a": "\xff"} }, false},
		"more than its share":                  {func(in *core.Incident) { in.Description = strings.Repeat("x", maxFreshWeight/64) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			var f fresh
			f.add([]core.Version{versionOf(1, tt.change)})
			if _, ok := f.find(versionRef{1, 1}); ok != tt.kept {
				t.Errorf("in memory: %v, want %v", ok, tt.kept)
			}
		})
	}
}

func TestFreshVersionsAreBounded(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		most int
	}{
		"small ones in number": {"x", maxFresh},
		"large ones in weight": {strings.Repeat("x", 100<<10), maxFreshWeight / (100 << 10)},
	} {
		t.Run(name, func(t *testing.T) {
			var f fresh
			const n = maxFresh + 10
			for id := core.ID(1); id <= n; id++ {
				f.add([]core.Version{versionOf(id, func(in *core.Incident) { in.Description = tt.text })})
			}
			if len(f.known) != len(f.order) || len(f.known) > tt.most || f.weight > maxFreshWeight {
				t.Errorf("%d versions of %d bytes in memory, want at most %d of %d", len(f.known), f.weight, tt.most, maxFreshWeight)
			}
			if _, ok := f.find(versionRef{n, 1}); !ok {
				t.Error("the newest was forgotten")
			}
			if _, ok := f.find(versionRef{1, 1}); ok {
				t.Error("the oldest was kept")
			}
		})
	}
}
