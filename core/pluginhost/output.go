package pluginhost

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bellcrank.example/sdk"
)

// Bounds of what an adapter may say, in bytes unless they count something.
const (
	defaultEvents  = 1_000 // events of a request, where the adapter declares nothing
	maxTitle       = 512
	maxDescription = 64 << 10
	maxKey         = 1 << 10
	maxWord        = 256 // a service, a vendor's severity, a name
	maxServices    = 100 // services of an event
	maxLabels      = 256 // labels of an event
	maxLabel       = 2 << 10
	maxMetadata    = 64 << 10 // as JSON
	maxLinks       = 32       // links of an event
	maxURL         = 8 << 10
	maxNotes       = 100 // notes on a request
	maxNote        = 1 << 10
	maxPaths       = 4_096 // paths that were read
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
	c := checker{now: now}
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
	where string
}

func (c *checker) note(format string, args ...any) {
	if len(c.notes) >= maxNotes/2 {
		c.lost++
		return
	}
	c.notes = append(c.notes, c.where+fmt.Sprintf(format, args...))
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
	for i := range events {
		c.where = fmt.Sprintf("event %d: ", i)
		reason := unusable(&events[i])
		if reason != "" {
			to.Rejected = append(to.Rejected, sdk.Rejection{Index: i, Reason: reason})
			continue
		}
		to.Events = append(to.Events, c.event(events[i]))
	}
	c.where = ""
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

func (c *checker) event(e sdk.Event) sdk.Event {
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
	return e
}

// key mends a key so that equal keys stay equal and different ones different.
func key(s string) string {
	s = storable(s)
	if len(s) <= maxKey {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	digest := hex.EncodeToString(sum[:])
	return cut(s, maxKey-len(digest)-1) + "#" + digest
}

// text mends what can't be stored, and cuts what is too long.
func (c *checker) text(what, s string, most int) string {
	s = storable(s)
	if len(s) <= most {
		return s
	}
	c.note("%s cut from %d to %d bytes", what, len(s), most)
	return cut(s, most)
}

func (c *checker) list(what string, list []string, most, each int) []string {
	if len(list) > most {
		c.note("%s: %d of %d kept", what, most, len(list))
		list = list[:most]
	}
	for i, s := range list {
		list[i] = oneLine(c.text(what, s, each))
	}
	return list
}

func (c *checker) rejections(list []sdk.Rejection) []sdk.Rejection {
	for i := range list {
		list[i].Index = max(list[i].Index, 0)
		list[i].Path = oneLine(c.text("path", list[i].Path, maxWord))
		list[i].Reason = oneLine(c.text("reason", list[i].Reason, maxNote))
	}
	return list
}

func (c *checker) labels(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(labels)) // the same ones are kept each time
	if len(names) > maxLabels {
		c.note("labels: %d of %d kept", maxLabels, len(names))
		names = names[:maxLabels]
	}
	checked := make(map[string]string, len(names))
	for _, name := range names {
		checked[oneLine(c.text("label name", name, maxWord))] = c.text("label", labels[name], maxLabel)
	}
	return checked
}

// metadata is dropped whole when it is too large: half an object misleads.
func (c *checker) metadata(m map[string]any) map[string]any {
	if len(m) == 0 {
		return nil
	}
	size, clean := measure(m)
	if size > maxMetadata {
		c.note("metadata dropped: about %d bytes of JSON, %d are the most", size, maxMetadata)
		return nil
	}
	if clean {
		return m
	}
	mended, _ := mend(m).(map[string]any)
	return mended
}

// measure returns about how long a value is as JSON, and whether its strings
// can be stored as they are.
func measure(value any) (size int, clean bool) {
	switch v := value.(type) {
	case string:
		return len(v) + 2, isStorable(v)
	case json.Number:
		return len(v), true
	case []any:
		size, clean = 2, true
		for _, element := range v {
			n, ok := measure(element)
			size, clean = size+n+1, clean && ok
		}
		return size, clean
	case map[string]any:
		size, clean = 2, true
		for name, member := range v {
			n, ok := measure(member)
			size, clean = size+len(name)+n+4, clean && ok && isStorable(name)
		}
		return size, clean
	}
	return len("false"), true
}

// mend replaces in strings what can't be stored.
func mend(value any) any {
	switch v := value.(type) {
	case string:
		return storable(v)
	case []any:
		for i := range v {
			v[i] = mend(v[i])
		}
	case map[string]any:
		mended := make(map[string]any, len(v))
		for name, member := range v {
			mended[storable(name)] = mend(member)
		}
		return mended
	}
	return value
}

func (c *checker) links(links []sdk.Link) []sdk.Link {
	var checked []sdk.Link
	for _, l := range links {
		l.Name = oneLine(c.text("link's name", l.Name, maxWord))
		if l.URL = c.link("link", l.URL); l.URL == "" {
			continue
		}
		if len(checked) == maxLinks {
			c.note("links: %d of %d kept", maxLinks, len(links))
			break
		}
		checked = append(checked, l)
	}
	return checked
}

// link drops what isn't an absolute http or https URL: it would be clicked on.
func (c *checker) link(what, s string) string {
	if s == "" || isURL(s, "http", "https") {
		return s
	}
	c.note("%s dropped: not an absolute http or https URL", what)
	return ""
}

func (c *checker) confirm(r *sdk.Confirm) *sdk.Confirm {
	if r == nil || isURL(r.URL, "https") {
		return r
	}
	c.note("the URL to confirm a subscription dropped: not an absolute https URL")
	return nil
}

func isURL(s string, schemes ...string) bool {
	if len(s) > maxURL || storable(s) != s || strings.ContainsFunc(s, unicode.IsSpace) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && slices.Contains(schemes, u.Scheme)
}

// time drops what no vendor can mean: seconds that were read as milliseconds,
// or the year 1.
func (c *checker) time(what string, t time.Time) time.Time {
	if t.IsZero() || !t.Before(oldest) && t.Before(c.now.Add(maxAhead)) {
		return t
	}
	c.note("%s dropped: it would be in the year %d", what, t.Year())
	return time.Time{}
}

// storable mends invalid UTF-8, and control characters other than those of
// lines: no store takes NUL, and no terminal should see the others.
func storable(s string) string {
	if isStorable(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if isBad(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

func isStorable(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, isBad) }

func isBad(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }

// oneLine replaces what breaks a line by spaces.
func oneLine(s string) string {
	if !strings.ContainsAny(s, "\n\r\t\u2028\u2029") {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case '\n', '\r', '\t', '\u2028', '\u2029':
			return ' '
		}
		return r
	}, s)
}

// cut shortens valid UTF-8 without splitting a character.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
