package pluginhost

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/client"
)

// Bounds of what an adapter may say, in bytes unless they count something.
const (
	defaultEvents  = client.DefaultEvents // events of a request, where the adapter declares nothing
	maxTitle       = 512
	maxDescription = 64 << 10
	maxKey         = 1 << 10
	maxWord        = 256                // a service, a vendor's severity, a name
	maxServices    = client.MaxServices // services of an event
	maxLabels      = client.MaxLabels   // labels of an event
	maxLabel       = 2 << 10
	maxMetadata    = 64 << 10        // as JSON
	maxLinks       = client.MaxLinks // links of an event
	maxURL         = 8 << 10
	maxNotes       = client.MaxNotes // notes on a request
	maxNote        = 1 << 10
	maxPaths       = client.MaxPaths // paths that were read
	maxReplyBody   = 64 << 10
)

// oldest is the earliest time that a vendor can mean, and maxAhead how far its
// clock may be ahead of ours.
var oldest = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

const maxAhead = 10 * 365 * 24 * time.Hour

// checkResult makes an adapter's answer safe to store and to show: a plugin is
// a stranger's program. What can be mended is mended, and what was lost by
// that is noted; an event that can't be used becomes a rejection, so that it
// doesn't cost the others. The answer's maps and slices may be changed.
//
// An error is an *sdk.Failure with code TOO_LARGE, or says how the answer
// breaks the contract.
func checkResult(r sdk.Result, limits sdk.Limits, now time.Time) (sdk.Result, error) {
	most := limits.Events
	if most <= 0 {
		most = defaultEvents
	}
	if n := len(r.Events) + len(r.Rejected); n > most {
		return sdk.Result{}, &sdk.Failure{Code: sdk.TooLarge, Message: fmt.Sprintf("%d events in one request, %d are the most", n, most)}
	}
	c := checker{now: now, at: -1}
	checked := sdk.Result{
		Ignored:   c.text("the reason for ignoring", r.Ignored, maxNote),
		Rejected:  c.rejections(r.Rejected),
		Reply:     r.Reply,
		Confirm:   c.confirm(r.Confirm),
		PathsRead: c.list("paths read", r.PathsRead, maxPaths, maxLabel),
	}
	if err := checkReply(r.Reply); err != nil {
		return sdk.Result{}, err
	}
	c.events(r.Events, &checked)
	checked.Notes = c.allNotes(r.Notes)
	if len(checked.Events) == 0 && len(checked.Rejected) == 0 && checked.Ignored == "" && checked.Reply == nil {
		return sdk.Result{}, errors.New("the answer has no event, no rejection, no reply and no reason for ignoring the request")
	}
	return checked, nil
}

// checkReply refuses what would make us answer a vendor with something else
// than the end of a handshake.
func checkReply(r *sdk.Reply) error {
	switch {
	case r == nil:
		return nil
	case r.Status != 0 && (r.Status < 200 || r.Status > 299):
		return fmt.Errorf("the reply has status %d: only 200 to 299 are allowed", r.Status)
	case len(r.Body) > maxReplyBody:
		return fmt.Errorf("the reply has %d bytes: %d are the most", len(r.Body), maxReplyBody)
	case len(r.ContentType) > maxWord || strings.ContainsFunc(r.ContentType, func(c rune) bool { return c < ' ' || c > '~' }):
		return errors.New("the reply's content type is not printable ASCII")
	}
	return nil
}

// checker mends one answer and notes what was lost.
type checker struct {
	now   time.Time
	notes []string
	lost  int // notes that had no room
	at    int // the event that is looked at, -1 for what belongs to all
}

func (c *checker) note(format string, args ...any) {
	if len(c.notes) >= maxNotes/2 {
		c.lost++
		return
	}
	note := fmt.Sprintf(format, args...)
	if c.at >= 0 {
		note = fmt.Sprintf("event %d: %s", c.at, note)
	}
	c.notes = append(c.notes, note)
}

// allNotes are the adapter's notes and ours after them.
func (c *checker) allNotes(own []string) []string {
	list := c.list("notes", own, maxNotes/2, maxNote)
	if c.lost > 0 {
		c.notes = append(c.notes, fmt.Sprintf("%d more parts of the answer were cut or dropped", c.lost))
	}
	return append(list, c.notes...)
}

func (c *checker) events(events []sdk.Event, to *sdk.Result) {
	to.Events = events[:0]
	for i := range events {
		if reason := unusable(&events[i]); reason != "" {
			to.Rejected = append(to.Rejected, sdk.Rejection{Index: i, Reason: reason})
			continue
		}
		c.at = i
		c.event(&events[i])
		to.Events = append(to.Events, events[i])
	}
	c.at = -1
}

// unusable says why nothing can be made of an event, "" if something can.
func unusable(e *sdk.Event) string {
	switch e.Action {
	case sdk.Trigger:
		if strings.TrimSpace(oneLine(e.Title)) == "" {
			return "a trigger without a title"
		}
	case sdk.Acknowledge, sdk.Resolve: // without a key they find nothing, which is visible
	default:
		return fmt.Sprintf("unknown action %.32q", string(e.Action))
	}
	return ""
}

func (c *checker) event(e *sdk.Event) {
	e.DedupKey, e.SeriesKey = key(e.DedupKey), key(e.SeriesKey)
	e.Title = strings.TrimSpace(oneLine(c.text("title", e.Title, maxTitle)))
	e.Description = c.text("description", e.Description, maxDescription)
	if !slices.Contains(sdk.Severities(), e.Severity) || e.Action == sdk.Resolve {
		e.Severity = ""
	}
	e.SeverityRaw = oneLine(c.text("severity", e.SeverityRaw, maxWord))
	e.Service = oneLine(c.text("service", e.Service, maxWord))
	e.IdentityRule = oneLine(c.text("identity rule", e.IdentityRule, maxWord))
	e.AffectedServices = c.list("affected services", e.AffectedServices, maxServices, maxWord)
	e.SourceURL = c.link("source URL", e.SourceURL)
	e.OccurredAt = c.time("time", e.OccurredAt)
	e.EndedAt = c.time("end", e.EndedAt)
	e.Labels = c.labels(e.Labels)
	e.Metadata = c.metadata(e.Metadata)
	e.Links = c.links(e.Links)
}

func (c *checker) rejections(list []sdk.Rejection) []sdk.Rejection {
	for i := range list {
		list[i].Index = max(list[i].Index, 0)
		list[i].Path = oneLine(c.text("path", list[i].Path, maxWord))
		list[i].Reason = oneLine(c.text("reason", list[i].Reason, maxNote))
	}
	return list
}
