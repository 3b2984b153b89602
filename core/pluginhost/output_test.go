package pluginhost

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"bellcrank.example/sdk"
)

var checkedAt = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func check(t *testing.T, r sdk.Result) sdk.Result {
	t.Helper()
	checked, err := checkResult(r, sdk.Limits{}, checkedAt)
	if err != nil {
		t.Fatalf("checkResult: %v", err)
	}
	return checked
}

func trigger(change func(*sdk.Event)) sdk.Result {
	e := sdk.Event{Action: sdk.Trigger, Title: "disk full", DedupKey: "k"}
	change(&e)
	return sdk.Result{Events: []sdk.Event{e}}
}

func TestAGoodAnswerStaysAsItIs(t *testing.T) {
	impact := true
	want := sdk.Result{
		Events: []sdk.Event{{
			Action: sdk.Trigger, DedupKey: "k", SeriesKey: "s", Title: "disk full", Description: "two\nlines",
			Severity: sdk.High, SeverityRaw: "P2", Service: "db", AffectedServices: []string{"db", "web"},
			CustomerImpact: &impact, SourceURL: "https://vendor.example/a?b=c", OccurredAt: checkedAt, EndedAt: checkedAt,
			Test: true, Labels: map[string]string{"a": "b"}, Metadata: map[string]any{"n": json.Number("1.50")},
			Links: []sdk.Link{{Name: "Runbook", URL: "http://wiki.example/"}}, IdentityRule: "fingerprint",
		}},
		Rejected: []sdk.Rejection{{Index: 3, Path: "a[3]", Reason: "no title"}},
		Ignored:  "the rest", Notes: []string{"truncated"}, PathsRead: []string{"a"},
		Reply: &sdk.Reply{Status: 201, Body: []byte{0, 1}}, Confirm: &sdk.Confirm{URL: "https://sns.example/?Token=x"},
	}
	got := check(t, want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the answer changed (-want +got):\n%s", diff)
	}
}

func TestWhatCanBeMendedIsMended(t *testing.T) {
	tests := map[string]struct {
		change func(*sdk.Event)
		want   func(e sdk.Event) bool
		note   string // "" if nothing is lost
	}{
		"a title is one line": {
			func(e *sdk.Event) { e.Title = " a\nb\u2028c " }, func(e sdk.Event) bool { return e.Title == "a b c" }, "",
		},
		"a long title is cut between characters": {
			func(e *sdk.Event) { e.Title = strings.Repeat("ä", 300) },
			func(e sdk.Event) bool { return e.Title == strings.Repeat("ä", 256) }, "title cut from 600",
		},
		"a long description is cut": {
			func(e *sdk.Event) { e.Description = strings.Repeat("x", 65<<10) },
			func(e sdk.Event) bool { return len(e.Description) == 64<<10 }, "description cut",
		},
		"NUL and broken UTF-8 can't be stored": {
			func(e *sdk.Event) { e.Description, e.DedupKey = "a\x00b\xffc\x1b[31m", "k\x00" },
			func(e sdk.Event) bool { return e.Description == "a\uFFFDb\uFFFDc\uFFFD[31m" && e.DedupKey == "k\uFFFD" }, "",
		},
		"nor inside metadata": {
			func(e *sdk.Event) { e.Metadata = map[string]any{"a\x00": []any{"b\x00", json.Number("1")}} },
			func(e sdk.Event) bool {
				return cmp.Equal(e.Metadata, map[string]any{"a\uFFFD": []any{"b\uFFFD", json.Number("1")}})
			}, "",
		},
		"too much metadata is dropped whole": {
			func(e *sdk.Event) { e.Metadata = map[string]any{"a": strings.Repeat("x", 70<<10)} },
			func(e sdk.Event) bool { return e.Metadata == nil }, "metadata dropped",
		},
		"an unknown severity is the operator's to decide": {
			func(e *sdk.Event) { e.Severity = "Apocalyptic" }, func(e sdk.Event) bool { return e.Severity == "" }, "",
		},
		"a script is no link": {
			func(e *sdk.Event) { e.SourceURL = "javascript:alert(1)" },
			func(e sdk.Event) bool { return e.SourceURL == "" }, "event 0: source URL dropped",
		},
		"a relative URL is no link": {
			func(e *sdk.Event) {
				e.Links = []sdk.Link{{Name: "x", URL: "/graph"}, {Name: "y", URL: "https://a.example"}}
			},
			func(e sdk.Event) bool { return len(e.Links) == 1 && e.Links[0].Name == "y" }, "link dropped",
		},
		"a control character is no part of a URL": {
			func(e *sdk.Event) { e.SourceURL = "https://a.example/\r\nX: y" },
			func(e sdk.Event) bool { return e.SourceURL == "" }, "source URL dropped",
		},
		"the year 1 is no time": {
			func(e *sdk.Event) { e.EndedAt = time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC) },
			func(e sdk.Event) bool { return e.EndedAt.IsZero() }, "end dropped",
		},
		"nor is the year 50000": {
			func(e *sdk.Event) { e.OccurredAt = time.Date(50000, 1, 1, 0, 0, 0, 0, time.UTC) },
			func(e sdk.Event) bool { return e.OccurredAt.IsZero() }, "time dropped",
		},
		"labels have a number": {
			func(e *sdk.Event) {
				e.Labels = map[string]string{}
				for i := range 1000 {
					e.Labels[fmt.Sprintf("l%04d", i)] = "v"
				}
			},
			func(e sdk.Event) bool { return len(e.Labels) == 256 && e.Labels["l0255"] == "v" }, "labels: 256 of 1000 kept",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := check(t, trigger(tt.change))
			if len(got.Events) != 1 || !tt.want(got.Events[0]) {
				t.Fatalf("got %+.500v", got.Events)
			}
			notes := strings.Join(got.Notes, "; ")
			if tt.note == "" && notes != "" || !strings.Contains(notes, tt.note) {
				t.Errorf("notes = %q, want %q", notes, tt.note)
			}
		})
	}
}

func TestAResolveCarriesNoSeverity(t *testing.T) {
	got := check(t, trigger(func(e *sdk.Event) { e.Action, e.Severity, e.Title = sdk.Resolve, sdk.High, "" }))
	if len(got.Events) != 1 || got.Events[0].Severity != "" {
		t.Errorf("got %+v, want one resolve without severity", got)
	}
}

func TestLongKeysStayDifferent(t *testing.T) {
	long := strings.Repeat("k", 5000)
	a, b, again := key(long+"a"), key(long+"b"), key(long+"a")
	if a == b || a != again || len(a) > maxKey {
		t.Errorf("keys %.20q… and %.20q… (%d bytes): want different ones, the same each time, %d bytes at most", a, b, len(a), maxKey)
	}
}

func TestABadEventCostsOnlyItself(t *testing.T) {
	r := sdk.Result{Events: []sdk.Event{
		{Action: sdk.Trigger, Title: "fine"}, {Action: "update", Title: "x"}, {Action: sdk.Trigger, Title: " \n"}, {Action: sdk.Trigger, Title: "also fine"},
	}}
	got := check(t, r)
	if len(got.Events) != 2 || got.Events[1].Title != "also fine" {
		t.Errorf("events = %+v, want the first and the last", got.Events)
	}
	if len(got.Rejected) != 2 || got.Rejected[0].Index != 1 || got.Rejected[1].Index != 2 {
		t.Errorf("rejected = %+v, want the two in the middle", got.Rejected)
	}
}

func TestAnswersThatBreakTheContract(t *testing.T) {
	tests := map[string]sdk.Result{
		"nothing at all":         {},
		"only notes":             {Notes: []string{"hello"}},
		"a redirect":             {Reply: &sdk.Reply{Status: 302}},
		"a large reply":          {Reply: &sdk.Reply{Body: make([]byte, maxReplyBody+1)}},
		"a header in the header": {Reply: &sdk.Reply{ContentType: "text/plain\r\nSet-Cookie: a=b"}},
	}
	for name, r := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := checkResult(r, sdk.Limits{}, checkedAt)
			if _, theirs := errors.AsType[*sdk.Failure](err); err == nil || theirs {
				t.Errorf("error = %v, want one that blames the adapter", err)
			}
		})
	}
}

func TestTheNumberOfEventsIsBounded(t *testing.T) {
	tests := map[string]struct {
		events, limit int
		refused       bool
	}{
		"as many as allowed":    {1000, 0, false},
		"one more":              {1001, 0, true},
		"the adapter's limit":   {1001, 65_536, false},
		"past it":               {65_537, 65_536, true},
		"a hundred thousand":    {100_000, 0, true},
		"the adapter wants few": {11, 10, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sdk.Result{Events: make([]sdk.Event, tt.events)}
			for i := range r.Events {
				r.Events[i] = sdk.Event{Action: sdk.Trigger, Title: "t"}
			}
			_, err := checkResult(r, sdk.Limits{Events: tt.limit}, checkedAt)
			f, _ := errors.AsType[*sdk.Failure](err)
			if refused := f != nil && f.Code == sdk.TooLarge; refused != tt.refused || (err != nil) != tt.refused {
				t.Errorf("error = %v, want TOO_LARGE %v", err, tt.refused)
			}
		})
	}
}

func TestNotesAreBounded(t *testing.T) {
	r := sdk.Result{Notes: make([]string, 10_000)}
	for i := range 1000 {
		r.Events = append(r.Events, sdk.Event{Action: sdk.Trigger, Title: "t", SourceURL: fmt.Sprint("/", i)})
	}
	got := check(t, r)
	if len(got.Events) != 1000 || len(got.Notes) > maxNotes+1 {
		t.Errorf("%d events and %d notes, want 1000 and %d at most", len(got.Events), len(got.Notes), maxNotes+1)
	}
	if last := got.Notes[len(got.Notes)-1]; !strings.Contains(last, "951 more") {
		t.Errorf("last note = %q, want how many have no room", last)
	}
}

// FuzzCheckResult holds whatever passes to what stores and pages rely on.
func FuzzCheckResult(f *testing.F) {
	f.Add("trigger", "title", "key", "https://a.example", "meta", int64(1e18), 200)
	f.Add("resolve", "\x00", "\xff", "javascript:x", "\x00\u202e", int64(-1), 302)
	f.Fuzz(func(t *testing.T, action, title, dedup, link, meta string, nanos int64, status int) {
		r := sdk.Result{
			Events: []sdk.Event{{
				Action: sdk.Action(action), Title: title, DedupKey: dedup, SourceURL: link, Description: meta, Service: meta,
				OccurredAt: time.Unix(0, nanos), Labels: map[string]string{title: meta}, Metadata: map[string]any{dedup: meta},
				Links: []sdk.Link{{Name: title, URL: link}}, AffectedServices: []string{title, meta},
			}},
			Notes: []string{meta}, Reply: &sdk.Reply{Status: status, ContentType: title},
		}
		got, err := checkResult(r, sdk.Limits{}, checkedAt)
		if err != nil {
			return
		}
		blob, err := json.Marshal(got)
		if err != nil || !utf8.Valid(blob) || strings.Contains(string(blob), `\u0000`) {
			t.Errorf("can't be stored: %q, %v", blob, err)
		}
		for _, e := range got.Events {
			if len(e.Title) > maxTitle || strings.ContainsAny(e.Title, "\n\r") || e.Action == sdk.Trigger && e.Title == "" {
				t.Errorf("title %q", e.Title)
			}
			if e.SourceURL != "" && !strings.HasPrefix(strings.ToLower(e.SourceURL), "http") {
				t.Errorf("source URL %q", e.SourceURL)
			}
		}
	})
}

func TestTheQuickLooksSeeWhatTheSlowOnesSee(t *testing.T) {
	for r := rune(0); r <= 0x3000; r++ {
		for _, s := range []string{string(r), "a" + string(r) + "b", "ä" + string(r)} {
			bad := unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r'
			if got := isStorable(s); got == bad {
				t.Errorf("isStorable(%q) = %v", s, got)
			}
			if got, want := breaksLine(s), strings.ContainsAny(s, "\n\r\t\u2028\u2029"); got != want {
				t.Errorf("breaksLine(%q) = %v", s, got)
			}
		}
	}
	for _, s := range []string{"\xff", "a\xc3", "\xe2\x80", "\u2028"[:2] + "x"} {
		if isStorable(s) || breaksLine(s) {
			t.Errorf("%q: isStorable %v, breaksLine %v; want neither", s, isStorable(s), breaksLine(s))
		}
	}
}

func TestEachCharacterIsJudgedAsUnicodeDoes(t *testing.T) {
	for r := range rune(0x3100) {
		s := "a" + string(r) + "z"
		if got := hasSpace(s); got != unicode.IsSpace(r) {
			t.Errorf("%U is a space: %t", r, got)
		}
		control := unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r'
		if got := isStorable(s); got == control {
			t.Errorf("%U may be stored: %t", r, got)
		}
	}
}
