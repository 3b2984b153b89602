package storetest

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// World is where incidents live: the rules alone, or a whole store.
type World interface {
	// Draw returns the id of a request that is received now.
	Draw() core.ID
	// Say folds a request's events.
	Say(id core.ID, observed bool, events []sdk.Event)
	// Do does what a person does to the newest incident of a key.
	Do(key string, a core.Act) error
	Now() time.Time
	Advance(d time.Duration)
	// Restart forgets everything that isn't stored.
	Restart()
	// All returns the incidents of a key by number.
	All(key string) []*core.Incident
	// Told returns the kinds of the deliveries about a key since the last call.
	Told(key string) []core.Kind
}

// SequencesVariable is the environment variable that says how many sequences
// of events are tried, where it is 2,000 else.
const SequencesVariable = "BELLCRANK_SEQUENCES"

// Sequences makes rapid try so many sequences, or as many more as the
// environment wants.
func Sequences(t *testing.T, n int) {
	t.Helper()
	if want, err := strconv.Atoi(os.Getenv(SequencesVariable)); err == nil {
		n = max(1, want*n/2000)
	}
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	if err := checks.Value.Set(strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checks.Value.Set(before) }) // it was accepted before
}

// Lifecycle drives a world through a random sequence of triggers, repeats,
// acknowledgements and resolves of a few problems, late ones and duplicates,
// people's acts, replays and restarts, and holds it to the model after each.
func Lifecycle(t *rapid.T, w World) {
	l := &lifecycle{World: w, observed: rapid.Bool().Draw(t, "observed"), newest: w.Now(), problems: map[string]*problem{}}
	for i := range l.keys {
		l.keys[i] = fmt.Sprintf("%s/%d", w.Draw(), i)
		l.problems[l.keys[i]] = &problem{versions: map[core.ID]int{}}
	}
	t.Repeat(map[string]func(*rapid.T){
		"trigger":     func(t *rapid.T) { l.event(t, sdk.Trigger) },
		"repeat":      func(t *rapid.T) { l.event(t, sdk.Trigger) },
		"acknowledge": func(t *rapid.T) { l.event(t, sdk.Acknowledge) },
		"resolve":     func(t *rapid.T) { l.event(t, sdk.Resolve) },
		"late":        l.late,
		"duplicate":   l.duplicate,
		"replay":      l.replay,
		"person":      l.person,
		"time": func(t *rapid.T) {
			w.Advance(rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour}).Draw(t, "passes"))
		},
		"restart": func(*rapid.T) { w.Restart() },
		"":        l.check,
	})
}

// problem is what was said of one key, and what came of it so far.
type problem struct {
	history  []said
	sent     []sent
	triggers int
	versions map[core.ID]int
	was      state
}

// sent is a request that can be sent again.
type sent struct {
	id    core.ID
	event sdk.Event
}

// state is what destinations hear of when it changes.
type state struct {
	open, acked bool
	severity    sdk.Severity
}

type lifecycle struct {
	World
	observed bool
	newest   time.Time // when the newest was said
	keys     [2]string
	problems map[string]*problem
	waiting  []core.ID // requests that were received and wait for their adapter
}

func (l *lifecycle) key(t *rapid.T) string {
	return rapid.SampledFrom(l.keys[:]).Draw(t, "key")
}

func (l *lifecycle) draw(t *rapid.T, op sdk.Action, key string) sdk.Event {
	e := sdk.Event{Action: op, DedupKey: key}
	if op == sdk.Trigger {
		e.Severity = rapid.SampledFrom(sdk.Severities()).Draw(t, "severity")
		e.Title = fmt.Sprintf("%s at %d", key, rapid.IntRange(0, 999).Draw(t, "title"))
	}
	return e
}

// event sends what is newer than everything before.
func (l *lifecycle) event(t *rapid.T, op sdk.Action) {
	key := l.key(t)
	e := l.draw(t, op, key)
	e.OccurredAt = l.tick()
	if !l.observed && rapid.Bool().Draw(t, "wait") {
		l.waiting = append(l.waiting, l.Draw())
	}
	l.say(key, l.Draw(), e)
}

// step lies between what is said.
const step = 10 * time.Second

func (l *lifecycle) tick() time.Time {
	l.newest = l.newest.Add(step)
	if now := l.Now(); now.After(l.newest) {
		l.newest = now.Truncate(time.Microsecond)
	}
	return l.newest
}

// remembered is how much of a problem a late event may find. Of what is older
// less is promised.
const remembered = 28

// late sends what was said, or received, before others that came first.
func (l *lifecycle) late(t *rapid.T) {
	key := l.key(t)
	if len(l.problems[key].history) > remembered {
		t.Skip("too much was said")
	}
	e := l.draw(t, rapid.SampledFrom([]sdk.Action{sdk.Trigger, sdk.Acknowledge, sdk.Resolve}).Draw(t, "op"), key)
	if l.observed {
		ago := step*time.Duration(rapid.IntRange(0, 20).Draw(t, "steps")) + time.Second*time.Duration(rapid.IntRange(1, 9).Draw(t, "seconds"))
		e.OccurredAt = l.newest.Add(-ago)
		for _, s := range l.problems[key].history {
			if s.when == e.OccurredAt.UnixMicro() {
				t.Skip("said before")
			}
		}
		l.say(key, l.Draw(), e)
		return
	}
	if len(l.waiting) == 0 {
		t.Skip("nothing waits")
	}
	i := rapid.IntRange(0, len(l.waiting)-1).Draw(t, "which")
	id := l.waiting[i]
	l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
	l.say(key, id, e)
}

func (l *lifecycle) say(key string, id core.ID, e sdk.Event) {
	p := l.problems[key]
	when := int64(id)
	if l.observed {
		when = e.OccurredAt.UnixMicro()
	}
	p.history = append(p.history, said{op: e.Action, when: when, severity: e.Severity, title: e.Title})
	p.sent = append(p.sent, sent{id, e})
	if e.Action == sdk.Trigger {
		p.triggers++
	}
	l.Say(id, l.observed, []sdk.Event{e})
}

func (l *lifecycle) earlier(t *rapid.T) (string, sent) {
	key := l.key(t)
	all := l.problems[key].sent
	if len(all) == 0 || len(l.problems[key].history) > remembered {
		t.Skip("nothing was sent, or too much")
	}
	return key, all[rapid.IntRange(0, len(all)-1).Draw(t, "which")]
}

// duplicate sends the same again: it counts, and where arrival decides it is
// as new as any.
func (l *lifecycle) duplicate(t *rapid.T) {
	key, s := l.earlier(t)
	l.say(key, l.Draw(), s.event)
}

// replay applies a request again: it changes nothing.
func (l *lifecycle) replay(t *rapid.T) {
	_, s := l.earlier(t)
	l.Say(s.id, l.observed, []sdk.Event{s.event})
}

// person does what the incident's status allows.
func (l *lifecycle) person(t *rapid.T) {
	key := l.key(t)
	all := l.All(key)
	if len(all) == 0 {
		t.Skip("no incident")
	}
	in, p := all[len(all)-1], l.problems[key]
	act := core.Act{Author: "somebody", Expect: in.Version}
	act.Do = rapid.SampledFrom([]sdk.Action{sdk.Acknowledge, sdk.Resolve, core.Reopen}).Draw(t, "act")
	err := l.Do(key, act)
	if act.Do == sdk.Acknowledge && !in.Open() {
		if err == nil {
			t.Fatalf("%s is resolved, and could be acknowledged", in.Name())
		}
		return
	}
	if err != nil {
		t.Fatalf("%s %s: %v", act.Do, in.Name(), err)
	}
	if in.Open() == (act.Do == core.Reopen) || act.Do == sdk.Acknowledge && in.Status == core.Acknowledged {
		return // it was so already
	}
	p.history = append(p.history, said{op: act.Do, when: l.last(p), severity: in.Severity, title: in.Title})
}

// last is when a person speaks: after all that has come in.
func (l *lifecycle) last(p *problem) int64 {
	if !l.observed {
		return int64(l.Draw())
	}
	last := l.Now().UnixMicro()
	for _, s := range p.history {
		last = max(last, s.when+1)
	}
	return last
}

func (l *lifecycle) check(t *rapid.T) {
	for _, key := range l.keys {
		l.problems[key].check(t, key, l.All(key), l.Told(key))
	}
}

// check holds what came of a problem to the model.
func (p *problem) check(t *rapid.T, key string, all []*core.Incident, told []core.Kind) {
	count, open := 0, 0
	for _, in := range all {
		count += in.Count
		if in.Open() {
			open++
		}
		if in.Version < p.versions[in.ID] || in.Version > p.versions[in.ID]+2 {
			t.Fatalf("%s: version %d of %s after %d", key, in.Version, in.Name(), p.versions[in.ID])
		}
		p.versions[in.ID] = in.Version
	}
	if open > 1 || count != p.triggers {
		t.Fatalf("%s: %d open incidents, %d occurrences; want one at most, %d", key, open, count, p.triggers)
	}
	want, any := newestEpisode(p.history)
	if any != (len(all) > 0) {
		t.Fatalf("%s: %d incidents, want some: %v", key, len(all), any)
	}
	var now state
	if any {
		got := all[len(all)-1]
		now = state{open: got.Open(), acked: got.Status == core.Acknowledged, severity: got.Severity}
		if now.open == want.ended || now.open && now.acked != want.acked || got.Severity != want.severity || got.Title != want.title {
			t.Fatalf("%s: newest is %s %s %q, want %+v of %+v", key, got.Status, got.Severity, got.Title, want, p.history)
		}
	}
	p.checkNews(t, key, now, told)
	p.was = now
}

// checkNews holds who is told to what has changed: every beginning, every rise
// and every end, and never that nothing has.
func (p *problem) checkNews(t *rapid.T, key string, now state, told []core.Kind) {
	wants := func(kinds ...core.Kind) {
		if !slices.ContainsFunc(told, func(k core.Kind) bool { return slices.Contains(kinds, k) }) {
			t.Fatalf("%s: told %v, want one of %v: was %+v, is %+v", key, told, kinds, p.was, now)
		}
	}
	switch {
	case !p.was.open && now.open:
		wants(core.Created, core.Reopened)
	case p.was.open && !now.open:
		wants(core.ResolvedKind)
	case now.open && now.severity.Above(p.was.severity):
		wants(core.Escalated)
	case now.open && now.acked && !p.was.acked:
		wants(core.AckedKind)
	case p.was.open == now.open && p.was.acked == now.acked && len(told) > 0:
		t.Fatalf("%s: told %v, but nothing has changed: %+v", key, told, now)
	}
}
