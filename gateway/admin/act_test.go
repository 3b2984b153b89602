package admin

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
)

// Act does what a person wants to the only incident, by the rules.
func (m *memory) Act(_ context.Context, number int64, a core.Act) (core.Acted, error) {
	m.act = a
	if number != disk.Number {
		return core.Acted{}, &core.Error{Code: core.NotFound, Message: "There is no such incident"}
	}
	a.Incident, a.Locked, a.At = disk.ID, disk.Wakings().Slots, noon
	in := disk.Clone()
	core.Fold(&core.State{
		Slots: map[core.SlotRef]*core.Slot{}, Incidents: map[core.ID]*core.Incident{disk.ID: in}, NewID: func() core.ID { return 1 },
	}, []*core.Change{{Act: &a}}, nowhere{}, noon)
	return core.Acted{Incident: in, Changed: a.Changed}, a.Refused
}

// nowhere is where nobody hears of anything.
type nowhere struct{}

func (nowhere) Decide(*core.Incident) ([]string, []core.Decision)  { return nil, nil }
func (nowhere) Instead(*core.Incident, func(string) bool) []string { return nil }

func (nowhere) Wants(string, core.Kind) bool                            { return true }
func (nowhere) Hold(*core.Incident, time.Time) (h core.Hold, held bool) { return h, false }
func (nowhere) Generation() int64                                       { return 1 }

func (m *memory) Explain(ctx context.Context, number int64) (core.Explanation, error) {
	d, err := m.Incident(ctx, number)
	d.Versions[0].Why = core.Why{
		Decisions: []core.Decision{{Route: "night", Reason: "severity"}, {Route: "all", Matched: true, To: []string{"webhook/ops"}}},
		Owed:      []string{"webhook/ops"},
	}
	tries, _ := m.Attempts(ctx, paging.ID)
	return core.Explanation{
		IncidentDetail: d, Requests: []*core.Request{sent}, Attempts: map[core.ID][]core.Attempt{paging.ID: tries},
	}, err
}

func (m *memory) AuditRequests(_ context.Context, after core.ID, limit int) (p core.AuditPage, err error) {
	if m.audited = append(m.audited, after); after != sent.ID {
		p.Count(string(sent.State))
		p.Next = sent.ID
	}
	return p, m.down
}

func (m *memory) AuditVersions(context.Context, core.ID, int) (p core.AuditPage, err error) {
	p.Missing("delivery missing", "INC-042 version 1 to webhook/ops", "it was owed")
	return p, m.down
}

func (m *memory) AuditCounts(context.Context, time.Time) (core.AuditPage, error) {
	return core.AuditPage{Checked: 1}, m.down
}

// call sends a body and returns the status, the answer and its ETag.
func (con *console) call(t *testing.T, path, body string, header ...string) (int, string, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+con.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer), response.Header.Get("ETag")
}

func TestWhatPeopleDo(t *testing.T) {
	con := open(t, nil)
	tests := map[string]struct {
		path, body string
		header     []string
		status     int
		want       string
	}{
		"acknowledge":              {"acknowledge", `{"author":"anna"}`, nil, 200, `"status":"acknowledged"`},
		"resolve":                  {"resolve", `{"author":"anna","text":"done"}`, nil, 200, `"status":"resolved"`},
		"reopen what is open":      {"reopen", `{"author":"anna"}`, nil, 200, `"changed":false`},
		"note":                     {"note", `{"author":"anna","text":"looking"}`, nil, 200, `"changed":true`},
		"assign":                   {"assign", `{"author":"anna","service":"db"}`, nil, 200, `"service":"db","assigned_by":"anna"`},
		"the version that is seen": {"note", `{"author":"anna","text":"x","version":2}`, nil, 200, `"version":3`},
		"another version":          {"note", `{"author":"anna","text":"x","version":1}`, nil, 409, `"CONFLICT"`},
		"the same by If-Match":     {"note", `{"author":"anna","text":"x"}`, []string{"If-Match", `"2"`}, 200, `"version":3`},
		"another by If-Match":      {"note", `{"author":"anna","text":"x"}`, []string{"If-Match", `"9"`}, 409, "at version 2 by now, not 9"},
		"If-Match is no version":   {"note", `{"author":"anna","text":"x"}`, []string{"If-Match", "x"}, 400, `"If-Match"`},
		"nobody":                   {"note", `{"text":"x"}`, nil, 400, "author"},
		"no text":                  {"note", `{"author":"anna"}`, nil, 400, "text"},
		"no service":               {"assign", `{"author":"anna"}`, nil, 400, "service"},
		"an author of two lines":   {"note", `{"author":"an\nna","text":"x"}`, nil, 400, "author"},
		"a long text":              {"note", `{"author":"anna","text":"` + strings.Repeat("x", 4001) + `"}`, nil, 400, "4000"},
		"an unknown member":        {"note", `{"author":"anna","txt":"x"}`, nil, 400, "txt"},
		"no body":                  {"note", ``, nil, 400, `"BAD_REQUEST"`},
		"a long key":               {"note", `{"author":"anna","text":"x"}`, []string{"Idempotency-Key", strings.Repeat("k", 256)}, 400, "255"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			status, answer, etag := con.call(t, "/v1/incidents/INC-042/"+tt.path, tt.body, tt.header...)
			if status != tt.status || !strings.Contains(answer, tt.want) {
				t.Errorf("got %d %s, want %d with %s", status, answer, tt.status, tt.want)
			}
			if status == 200 && etag == "" {
				t.Error("the answer has no ETag")
			}
		})
	}
	if status, answer, _ := con.call(t, "/v1/incidents/INC-007/note", `{"author":"anna","text":"x"}`); status != 404 {
		t.Errorf("an incident that there isn't: %d %s", status, answer)
	}
}

func TestAnActIsRecognisedByItsKeyAndItsBody(t *testing.T) {
	con := open(t, nil)
	keys := map[core.DeliveryKey]bool{}
	for _, call := range [][2]string{{"k", "a"}, {"k", "a"}, {"k", "b"}, {"l", "a"}} {
		con.call(t, "/v1/incidents/INC-042/note", `{"author":"anna","text":"`+call[1]+`"}`, "Idempotency-Key", call[0])
		keys[con.store.act.Key] = true
	}
	if len(keys) != 3 {
		t.Errorf("%d keys, want 3", len(keys))
	}
	con.call(t, "/v1/incidents/INC-042/note", `{"author":"anna","text":"a"}`)
	if con.store.act.Key != (core.DeliveryKey{}) {
		t.Error("an act without a key has one")
	}
}

func TestExplanationHasTheWholeChain(t *testing.T) {
	con := open(t, nil)
	status, answer := con.ask(t, "GET", "/v1/incidents/INC-042/explain")
	if status != 200 {
		t.Fatalf("got %d %s", status, answer)
	}
	for _, want := range []string{
		`"requests":[{"id":"` + sent.ID.String() + `"`, `"key_id":"main"`, `"effect":"opened"`,
		`"routes":[{"route":"night","matched":false,"reason":"severity"},{"route":"all","matched":true,"to":["webhook/ops"]}]`,
		`"owed":["webhook/ops"]`, `"attempts":[{"number":1`,
	} {
		if !strings.Contains(answer, want) {
			t.Errorf("%s isn't in %s", want, answer)
		}
	}
}

func TestAnAuditGoesThroughAllItsParts(t *testing.T) {
	con := open(t, nil)
	var parts []string
	gaps, path := 0, "/v1/audit?since=1h"
	for next := ""; ; {
		status, answer := con.ask(t, "GET", path+"&after="+next)
		if status != 200 {
			t.Fatalf("got %d %s", status, answer)
		}
		parts = append(parts, member(answer, "part"))
		gaps += strings.Count(answer, `"kind":"delivery missing"`)
		if next = member(answer, "next"); next == "" {
			break
		}
	}
	if got := strings.Join(parts, " "); got != "receipts receipts versions counts" || gaps != 1 {
		t.Errorf("parts %s with %d gaps, want two of receipts, versions and counts, with one gap", got, gaps)
	}
	if first := con.store.audited[0]; first != core.IDAt(noon.Add(-time.Hour))-1 {
		t.Errorf("it began after %v", first.Time())
	}
	if status, _ := con.ask(t, "GET", "/v1/audit?after=nonsense"); status != 400 {
		t.Errorf("a page that there isn't got %d, want 400", status)
	}
}

// member returns a text member of a JSON answer.
func member(answer, name string) string {
	_, rest, _ := strings.Cut(answer, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
