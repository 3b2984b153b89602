package admin

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
)

// auditPage is how many rows one call looks at: few enough for one short read,
// so that the writer's log isn't held up.
const auditPage = 2000

// Audit is what was found among some of what is stored. The whole of it takes
// several calls, each with the next of the one before.
type Audit struct {
	Part    string         `json:"part"` // receipts, versions or counts
	Checked int            `json:"checked"`
	States  map[string]int `json:"states,omitempty"` // of receipts, or of deliveries
	Gaps    []Gap          `json:"gaps"`
	Owed    []Owing        `json:"owed"` // the oldest that is still on its way
	Next    string         `json:"next"` // empty: that was all
}

// Gap is something that was promised, isn't done, and isn't owed any more.
type Gap struct {
	Kind    string `json:"kind"`
	Subject string `json:"subject"`
	Detail  string `json:"detail"`
}

// Owing is something that isn't done yet.
type Owing struct {
	Subject string `json:"subject"`
	State   string `json:"state"`
	Since   Time   `json:"since"`
	Detail  string `json:"detail,omitempty"`
}

// The parts of an audit, in order.
const (
	auditReceipts = "receipts"
	auditVersions = "versions"
	auditCounts   = "counts"
)

func (a *api) audit(c *fiber.Ctx) error {
	since, err := a.since(c)
	if err != nil {
		return err
	}
	if since.IsZero() {
		since = a.cfg.Now().Add(-24 * time.Hour)
	}
	part, after, err := auditFrom(c.Query("after"), since)
	if err != nil {
		return err
	}
	found, err := a.auditPart(c.UserContext(), part, after, since)
	if err != nil {
		return err
	}
	page := Audit{
		Part: part, Checked: found.Checked, States: found.States, Next: auditNext(part, found.Next),
		Gaps: each(found.Gaps, func(g core.Gap) Gap { return Gap(g) }),
		Owed: each(found.Owed, func(o core.Owing) Owing {
			return Owing{Subject: o.Subject, State: o.State, Since: Time{o.Since}, Detail: o.Detail}
		}),
	}
	return ok(c, page)
}

// auditFrom reads where to go on: a part, and perhaps the id after which.
func auditFrom(cursor string, since time.Time) (part string, after core.ID, err error) {
	part, id, _ := strings.Cut(strings.Clone(cursor), ":")
	switch part {
	case "":
		part = auditReceipts
	case auditReceipts, auditVersions, auditCounts:
	default:
		return "", 0, badRequest("after", "after must be the next of the page before")
	}
	if id == "" {
		return part, core.IDAt(since) - 1, nil
	}
	if after, err = core.ParseID(id); err != nil {
		return "", 0, badRequest("after", "after must be the next of the page before")
	}
	return part, after, nil
}

func (a *api) auditPart(ctx context.Context, part string, after core.ID, since time.Time) (core.AuditPage, error) {
	switch part {
	case auditReceipts:
		return a.cfg.Store.AuditRequests(ctx, after, auditPage)
	case auditVersions:
		return a.cfg.Store.AuditVersions(ctx, after, auditPage)
	}
	return a.cfg.Store.AuditCounts(ctx, since)
}

func auditNext(part string, next core.ID) string {
	switch {
	case next != 0:
		return part + ":" + next.String()
	case part == auditReceipts:
		return auditVersions
	case part == auditVersions:
		return auditCounts
	}
	return ""
}
