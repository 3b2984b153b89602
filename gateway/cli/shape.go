package cli

import (
	"fmt"
	"strings"
	"time"

	"bellcrank.example/gateway/admin"
)

// printShape tells of an integration whose requests look other than usual.
func (a *console) printShape(h admin.Health) {
	if h.Shape == nil || h.Shape.ChangedAt.IsZero() {
		return
	}
	fmt.Fprintf(a.out, "\n%s looks other than usual since %s", h.ID, h.Shape.ChangedAt.Format(time.RFC3339))
	for _, part := range []struct {
		what  string
		paths []string
	}{{"no longer there", h.Shape.Vanished}, {"new", h.Shape.Appeared}} {
		if len(part.paths) > 0 {
			fmt.Fprintf(a.out, "\n  %s: %s", part.what, clip(strings.Join(part.paths, ", "), 400))
		}
	}
	fmt.Fprintln(a.out)
}
