package sqlite

import (
	"testing"

	"go.uber.org/goleak"

	"bellcrank.example/core/store/engine"
	"bellcrank.example/core/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDriver(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) engine.Driver {
		db, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		return db
	})
}
