package storetest

import (
	"context"

	"github.com/google/go-cmp/cmp"

	"bellcrank.example/core"
)

// freshIsStored holds every version that is still in memory to what is stored,
// at the end of whatever a test did.
func (f *fixture) freshIsStored() {
	f.t.Helper()
	ctx := context.Background() // the test's own has ended
	list, err := f.Incidents(ctx, core.IncidentFilter{Page: core.Page{Limit: 500}})
	if err != nil {
		return // the test broke the store
	}
	for _, in := range list {
		for n := 1; n <= in.Version; n++ {
			fresh, ok := f.FreshVersion(in.ID, n)
			if !ok {
				continue
			}
			stored, err := f.Version(ctx, in.ID, n)
			if diff := cmp.Diff(stored, fresh); err != nil || diff != "" {
				f.t.Errorf("version %d of incident %d (-stored +in memory):\n%s%v", n, in.Number, diff, err)
				return
			}
		}
	}
}
