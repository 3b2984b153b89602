package engine

import (
	"context"
	"time"

	"bellcrank.example/core"
)

// AuditCounts compares how many requests were counted at their commit with how
// many there are, as far back as none is deleted for its age.
func (e *Engine) AuditCounts(ctx context.Context, since time.Time) (core.AuditPage, error) {
	if kept := e.cfg.Now().Add(-e.cfg.Retention.Requests); since.Before(kept) {
		since = kept
	}
	return e.cfg.Driver.CompareCounts(ctx, since)
}
