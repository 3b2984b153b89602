package pluginhost

import (
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Bounds of a report.
const (
	maxSamples     = 20  // the newest requests that differ
	maxDifferences = 20  // fields of each
	maxShown       = 200 // bytes of each value
	maxFields      = 200 // that are counted by name
)

// ShadowReport says how a version does beside the one that serves.
type ShadowReport struct {
	Version   string         `json:"version"`
	Since     time.Time      `json:"since"`
	Compared  int            `json:"compared"`
	Different int            `json:"different"`
	Failed    map[string]int `json:"failed"`  // requests that it gave no answer to, by fault
	Dropped   int            `json:"dropped"` // requests that it was too slow for
	// Fields counts in how many requests a field differed, without its
	// position in a list: "events[].severity".
	Fields  map[string]int `json:"fields"`
	Samples []ShadowSample `json:"samples"` // the newest last
}

// ShadowSample is a request of which the two say different things.
type ShadowSample struct {
	Receipt     string       `json:"receipt"`
	Integration string       `json:"integration"`
	Differences []Difference `json:"differences"` // the first ones
	More        int          `json:"more"`        // that aren't listed
}

// reporter keeps a report.
type reporter struct {
	mu  sync.Mutex
	now ShadowReport
}

func (r *reporter) begin(version string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = ShadowReport{Version: version, Since: at, Failed: map[string]int{}, Fields: map[string]int{}, Samples: []ShadowSample{}}
}

func (r *reporter) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.Dropped++
}

// fail counts a request that had no answer; a nil fault is none that is known.
func (r *reporter) fail(fault *core.AdaptError) {
	name := "unknown"
	if fault != nil {
		name = string(fault.Fault)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.Failed[name]++
}

// position is where a field stands in a list.
var position = regexp.MustCompile(`\[\d+\]`)

func (r *reporter) compare(of sdk.Request, differences []Difference) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.Compared++
	if len(differences) == 0 {
		return
	}
	r.now.Different++
	fields := map[string]bool{}
	for _, d := range differences {
		fields[position.ReplaceAllString(d.Field, "[]")] = true
	}
	for field := range fields {
		if _, known := r.now.Fields[field]; !known && len(r.now.Fields) >= maxFields {
			field = "others"
		}
		r.now.Fields[field]++
	}
	sample := ShadowSample{Receipt: of.ID, Integration: of.Integration, Differences: slices.Clone(differences[:min(len(differences), maxDifferences)])}
	sample.More = len(differences) - len(sample.Differences)
	for i := range sample.Differences {
		d := &sample.Differences[i]
		d.Field, d.Old, d.New = cut(d.Field, maxShown), cut(d.Old, maxShown), cut(d.New, maxShown)
	}
	if len(r.now.Samples) == maxSamples {
		r.now.Samples = slices.Delete(r.now.Samples, 0, 1)
	}
	r.now.Samples = append(r.now.Samples, sample)
}

func (r *reporter) report() ShadowReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.now
	out.Failed, out.Fields, out.Samples = maps.Clone(out.Failed), maps.Clone(out.Fields), slices.Clone(out.Samples)
	return out
}
