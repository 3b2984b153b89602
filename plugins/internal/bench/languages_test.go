//go:build linux && node && python

package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkLanguages compares the ways to adapters in languages with one thread.
// The ratio is to a call of its own for each request.
func BenchmarkLanguages(b *testing.B) {
	var ways []*way
	for language, example := range map[string]string{
		"node":   "adapter-node/testdata/backup_firing",
		"python": "adapter-python/testdata/incident_firing",
	} {
		recorded, err := filepath.Abs(filepath.Join("../../../examples", example, "request.json"))
		if err != nil {
			b.Fatal(err)
		}
		content, err := os.ReadFile(recorded)
		var request struct{ Body json.RawMessage }
		if err == nil {
			err = json.Unmarshal(content, &request)
		}
		if err != nil {
			b.Fatal(err)
		}
		for _, name := range []string{unary, batch} {
			ways = append(ways, &way{name: name, path: language, plugin: filepath.Dir(filepath.Dir(filepath.Dir(recorded))), body: request.Body})
		}
	}
	compare(b, ways)
}
