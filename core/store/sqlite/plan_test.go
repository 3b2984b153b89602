package sqlite

import (
	"strings"
	"testing"
)

// plan returns what SQLite says of a statement, a line for each step.
func plan(t *testing.T, db *DB, explain, sql string, column int) (steps []string) {
	t.Helper()
	err := db.read(t.Context(), func(c *conn) error {
		return c.query(explain + " " + sql).each(func(r *row) error {
			steps = append(steps, r.stmt.ColumnText(column))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func TestRowsAreWrittenWithoutTablesOfTheirOwn(t *testing.T) {
	db, err := Open(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, sql := range []string{
		insertRequest, updateRequest, insertDeliveryID, upsertSlot, insertIncident, updateIncident, updateStatus, insertEvent,
		insertVersion, insertDelivery, updateDelivery, insertAttempt, countIntegration, countDestination,
	} {
		for _, step := range plan(t, db, "EXPLAIN", sql, 1) {
			if step == "OpenEphemeral" || step == "OpenAutoindex" {
				t.Errorf("%s for each row of\n%s", step, sql)
			}
		}
	}
}

func TestLanesAreFoundByTheirIndex(t *testing.T) {
	db, err := Open(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, sql := range []string{selectLane, newestUnfinished, creditors, foldOlder, waitingIncidents} {
		if steps := strings.Join(plan(t, db, "EXPLAIN QUERY PLAN", sql, 3), "\n"); !strings.Contains(steps, "delivery_lane") {
			t.Errorf("the plan is\n%s\nof\n%s", steps, sql)
		}
	}
}
