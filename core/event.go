package core

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"bellcrank.example/sdk"
)

// Event is an adapter's event with the operator's rules applied, ready to be
// folded.
type Event struct {
	sdk.Event
	Index        int      // position in its request
	Key          [16]byte // hash of the dedup key
	Series       [16]byte // hash of the series key; zero if it is the dedup key's
	Alias        [16]byte // hash of the event itself, if the vendor gave no key
	SeverityRule string
	Group        GroupKey // the group that its incident belongs to
}

// HashKey returns the hash under which a key is looked up.
func HashKey(key string) [16]byte {
	sum := sha256.Sum256([]byte(key))
	return [16]byte(sum[:16])
}

// PrepareEvents applies the integration's rules to what an adapter returned
// for a request: severity, service, labels, the test mark, and a key for
// events without one.
func PrepareEvents(in *Integration, request ID, test bool, events []sdk.Event) []Event {
	prepared := make([]Event, len(events))
	for index, e := range events {
		p := Event{Event: e, Index: index}
		p.Test = p.Test || test
		switch p.Action {
		case sdk.Trigger:
			p.Severity, p.SeverityRule = in.Severity.Decide(&e)
		case sdk.Resolve:
			p.Severity = "" // in real captures a recovery's priority is empty or unrelated
		}
		p.Service = in.Service.Decide(e.Service)
		p.Labels = withLabels(e.Labels, in.Labels)
		in.Services.apply(&p)
		p.identify(in.Identity)
		if p.DedupKey == "" {
			p.Alias = aliasOf(&e)
			p.DedupKey = fmt.Sprintf("%s#%d", request, index)
			p.IdentityRule = because("none: every request opens an incident", p.IdentityRule)
		}
		if p.Test {
			p.keepApart()
		}
		p.Key = HashKey(p.DedupKey)
		if p.SeriesKey != "" && p.SeriesKey != p.DedupKey {
			p.Series = HashKey(p.SeriesKey)
		}
		if in.Group != nil && p.Action == sdk.Trigger {
			p.Group = in.Group(&p)
		}
		prepared[index] = p
	}
	return prepared
}

// identify applies the operator's say about the dedup key. Where it gives
// none, the adapter's stays, and the rule says why.
func (e *Event) identify(policy IdentityPolicy) {
	key, rule := policy.Decide(&e.Event)
	switch {
	case key != "":
		e.DedupKey, e.SeriesKey, e.IdentityRule = key, "", rule
	case e.DedupKey == "":
		e.IdentityRule = rule
	default:
		e.IdentityRule = because(e.IdentityRule, rule)
	}
}

// because adds to a rule why another one wasn't used.
func because(rule, why string) string {
	switch {
	case why == "":
		return rule
	case rule == "":
		return why
	}
	return rule + "; " + why
}

// keepApart gives a test a key that no real problem has: a test must neither
// end a real incident nor hide a real trigger behind its own, not even one that
// has the same bytes.
func (e *Event) keepApart() {
	const mark = "test:"
	if !strings.HasPrefix(e.DedupKey, mark) {
		e.DedupKey = mark + e.DedupKey
	}
	e.SeriesKey = ""
	e.Alias = [16]byte{}
}

func withLabels(own, static map[string]string) map[string]string {
	if len(static) == 0 {
		return own
	}
	all := maps.Clone(static)
	maps.Copy(all, own)
	return all
}

// aliasOf hashes what the sender said, so that a client's retry of a POST
// without any identity can be recognised.
func aliasOf(e *sdk.Event) [16]byte {
	// Encoding an event can't fail: its metadata came out of a JSON decoder.
	blob, _ := json.Marshal(e)
	sum := sha256.Sum256(blob)
	return [16]byte(sum[:16])
}

// ListHash identifies a list of events: applying it in chunks goes on only
// while the list stays the same.
func ListHash(events []sdk.Event) (string, error) {
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(events); err != nil {
		return "", fmt.Errorf("hash events: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Effect says what an event did.
type Effect string

// The effects.
const (
	EffectOpened   Effect = "opened"
	EffectRepeated Effect = "repeated"
	EffectRaised   Effect = "raised" // repeated, with a higher severity
	EffectReopened Effect = "reopened"
	EffectAcked    Effect = "acknowledged"
	EffectResolved Effect = "resolved"
	EffectLate     Effect = "late"   // a trigger that was said before the resolve which came first
	EffectStale    Effect = "stale"  // a resolve or acknowledgement that was said before the newest trigger
	EffectOrphan   Effect = "orphan" // a resolve or acknowledgement of nothing
	EffectNone     Effect = "none"   // a second resolve or acknowledgement
	EffectFallback Effect = "fallback"
	EffectFlapping Effect = "flapping"  // came and went too often: held open from here on
	EffectHeldOpen Effect = "held open" // a resolve of what flaps
	EffectSettled  Effect = "settled"   // flaps no more
	EffectNoted    Effect = "noted"     // by a person
	EffectAssigned Effect = "assigned"  // to another service, by a person
	EffectExpired  Effect = "expired"   // nobody spoke of it for too long
)

// TimelineEntry is one event on an incident's timeline, as stored.
type TimelineEntry struct {
	ID         ID
	Tenant     int64
	Incident   ID // zero for an orphan
	Request    ID // zero: no request said it
	Index      int
	Action     sdk.Action
	Effect     Effect
	At         time.Time // of receipt
	OccurredAt time.Time // as the vendor says; may be zero
	Severity   sdk.Severity
	Rule       string // that gave the severity
	Title      string
	Author     string // of what a person did; empty: no person did it
	Note       string // what they said
}
