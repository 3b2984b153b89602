package client

import (
	"encoding/json"
	"strings"

	"bellcrank.example/sdk"
)

// detach copies what a result says if that is less than half of the message
// that it was read from: its texts are parts of the message, and the least of
// them would keep all of it in memory for as long as anybody keeps the result.
func detach(r sdk.Result, message int) sdk.Result {
	if message <= smallAnswer {
		return r
	}
	said := 0
	texts{func(s string) string { said += len(s); return s }, false}.result(&r)
	if said < message/2 {
		texts{strings.Clone, true}.result(&r)
	}
	return r
}

// texts replaces each text of a result. Maps keep theirs unless they are to be
// made anew.
type texts struct {
	with func(string) string
	maps bool
}

func (t texts) result(r *sdk.Result) {
	for i := range r.Events {
		t.event(&r.Events[i])
	}
	for i := range r.Rejected {
		t.each(&r.Rejected[i].Path, &r.Rejected[i].Reason)
	}
	t.each(&r.Ignored)
	if r.Reply != nil {
		t.each(&r.Reply.ContentType)
	}
	if r.Confirm != nil {
		t.each(&r.Confirm.URL)
	}
	t.list(r.Notes)
	t.list(r.PathsRead)
}

func (t texts) event(e *sdk.Event) {
	t.each(&e.DedupKey, &e.SeriesKey, &e.Title, &e.Description, &e.SeverityRaw, &e.Service, &e.SourceURL, &e.IdentityRule)
	t.list(e.AffectedServices)
	for i := range e.Links {
		t.each(&e.Links[i].Name, &e.Links[i].URL)
	}
	e.Labels = replaceIn(t, e.Labels, t.with)
	e.Metadata = replaceIn(t, e.Metadata, t.value)
}

func (t texts) each(all ...*string) {
	for _, s := range all {
		*s = t.with(*s)
	}
}

func (t texts) list(list []string) {
	for i, s := range list {
		list[i] = t.with(s)
	}
}

func (t texts) value(value any) any {
	switch v := value.(type) {
	case string:
		return t.with(v)
	case json.Number:
		return json.Number(t.with(string(v)))
	case []any:
		for i := range v {
			v[i] = t.value(v[i])
		}
	case map[string]any:
		return replaceIn(t, v, t.value)
	}
	return value
}

func replaceIn[V any](t texts, m map[string]V, with func(V) V) map[string]V {
	if !t.maps || m == nil {
		for name, value := range m {
			t.with(name)
			with(value)
		}
		return m
	}
	fresh := make(map[string]V, len(m))
	for name, value := range m {
		fresh[t.with(name)] = with(value)
	}
	return fresh
}
