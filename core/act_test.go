package core

import (
	"strings"
	"testing"

	"bellcrank.example/sdk"
)

// do folds what a person does to an incident, a second after what was before.
func (b *book) do(in *Incident, a Act) *Act {
	b.send() // the clock goes on
	a.Author, a.At = "anna", b.now
	a.Tenant, a.Incident, a.Locked = in.Tenant, in.ID, in.Wakings().Slots
	f := Fold(&b.state, []*Change{{Act: &a}}, b.routes, b.now)
	b.all.Timeline = append(b.all.Timeline, f.Timeline...)
	b.all.Versions = append(b.all.Versions, f.Versions...)
	b.all.Deliveries = append(b.all.Deliveries, f.Deliveries...)
	return &a
}

func TestAPersonsResolveLetsTheVendorReopen(t *testing.T) {
	b := newBook("webhook/ops")
	b.send(trigger("a", sdk.High, 1))
	b.do(b.all.Created[0], Act{Do: sdk.Resolve})
	b.send(trigger("a", sdk.Low, 30))
	want := `INC-001 investigating Low "disk full" x2 1:created 2:resolved 3:reopened`
	if got := b.story(); got != want {
		t.Errorf("story:\n%s\nwant:\n%s", got, want)
	}
}

func TestWhatWasSaidBeforeAPersonsResolveOpensNothing(t *testing.T) {
	b := newBook("webhook/ops")
	b.send(trigger("a", sdk.High, 0))
	b.do(b.all.Created[0], Act{Do: sdk.Resolve})
	b.send(sdk.Event{Action: sdk.Trigger, DedupKey: "a", Severity: sdk.High, OccurredAt: said(0).Add(-1)})
	want := `INC-001 resolved High "disk full" x2 1:created 2:resolved`
	if got := b.story(); got != want {
		t.Errorf("story:\n%s\nwant:\n%s", got, want)
	}
}

func TestAVendorsResolveEndsWhatAPersonReopened(t *testing.T) {
	b := newBook("webhook/ops")
	b.send(trigger("a", sdk.High, 1))
	b.send(resolve("a", 2))
	b.do(b.all.Created[0], Act{Do: Reopen})
	b.send(resolve("a", 30))
	want := `INC-001 resolved High "disk full" x1 1:created 2:resolved 3:reopened 4:resolved`
	if got := b.story(); got != want {
		t.Errorf("story:\n%s\nwant:\n%s", got, want)
	}
}

func TestAFallbackIncidentCanBeResolvedByAPerson(t *testing.T) {
	b := newBook("webhook/ops")
	first := b.change(nil, AdapterRejected)
	b.do(b.all.Created[0], Act{Do: sdk.Resolve})
	b.change(nil, AdapterRejected)
	b.change(first, "", trigger("a", sdk.Low, 1)) // read after all, it has nothing to correct
	var names []string
	for _, in := range b.all.Created {
		names = append(names, in.Name()+" "+string(in.Status)+" "+string(in.Fallback))
	}
	want := "INC-001 resolved ADAPTER_REJECTED, INC-002 investigating ADAPTER_REJECTED, INC-003 investigating "
	if got := strings.Join(names, ", "); got != want {
		t.Errorf("incidents %s\nwant      %s", got, want)
	}
}

func TestAnActOnWhatWasCorrectedMeanwhileIsTriedAgain(t *testing.T) {
	b := newBook("webhook/ops")
	r := b.change(nil, AdapterRejected)
	in := b.all.Created[0]
	locked := in.Wakings().Slots
	b.change(r, "", trigger("a", sdk.Low, 1))
	a := Act{Do: sdk.Resolve, Author: "anna", Tenant: in.Tenant, Incident: in.ID, Locked: locked, At: b.now}
	Fold(&b.state, []*Change{{Act: &a}}, b.routes, b.now)
	if !a.Moved() || !in.Open() {
		t.Errorf("refused by %v, status %s; want it moved and open", a.Refused, in.Status)
	}
}

func TestWhatIsNoActIsRefused(t *testing.T) {
	tests := map[string]struct {
		act  Act
		want string
	}{
		"an act":              {Act{Do: sdk.Resolve, Author: "anna"}, ""},
		"a trigger":           {Act{Do: sdk.Trigger, Author: "anna"}, "nothing that can be done"},
		"nobody":              {Act{Do: sdk.Resolve, Author: " "}, "author"},
		"a long author":       {Act{Do: sdk.Resolve, Author: strings.Repeat("a", 101)}, "author"},
		"a note without text": {Act{Do: Note, Author: "anna", Text: " \n"}, "text"},
		"a long text":         {Act{Do: Note, Author: "anna", Text: strings.Repeat("a", 4001)}, "text"},
		"to no service":       {Act{Do: Assign, Author: "anna"}, "service"},
		"to two lines":        {Act{Do: Assign, Author: "anna", Service: "a\nb"}, "service"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.act.Check()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error about %q", err, tt.want)
			}
		})
	}
}

// TestManyEventsKeepWhatTheEpisodeIs has more events than are remembered.
func TestManyEventsKeepWhatTheEpisodeIs(t *testing.T) {
	b := newBook("webhook/ops")
	b.send(trigger("a", sdk.Critical, 1))
	b.send(acknowledge("a", 2))
	for i := range 100 {
		b.send(trigger("a", sdk.Low, 3+i))
	}
	b.send(trigger("a", sdk.High, 0)) // older than anything that is remembered
	want := `INC-001 acknowledged Critical "disk full" x102 1:created 2:acknowledged`
	if got := b.story(); got != want {
		t.Errorf("story:\n%s\nwant:\n%s", got, want)
	}
	for _, slot := range b.state.Slots {
		if ep := slot.episode(); len(slot.Marks) > maxMarks || ep.severity != sdk.Critical || !ep.acked {
			t.Errorf("%d marks, episode %+v; want %d at most, Critical and acknowledged", len(slot.Marks), ep, maxMarks)
		}
	}
}
