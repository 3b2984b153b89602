package scaffold

import (
	"encoding/json"
	"slices"

	"bellcrank.example/sdk"
)

// result is what the drafted plugin makes of a body. Every language's templates
// do the same: the want.json of a new plugin comes from here, and its tests
// hold the plugin to it.
func (d *Draft) result(body any) sdk.Result {
	var result sdk.Result
	bodies, ok := body.([]any)
	if !ok {
		bodies = []any{body}
	}
	for _, b := range bodies {
		if d.List == "" {
			result.Events = append(result.Events, d.event(b, nil))
			continue
		}
		object, _ := b.(map[string]any)
		list, _ := object[d.List].([]any)
		for _, element := range list {
			result.Events = append(result.Events, d.event(b, element))
		}
	}
	return result
}

func (d *Draft) event(body, element any) sdk.Event {
	text := func(m *Member) string { return m.text(body, element) }
	e := sdk.Event{
		Action:      d.action(text(d.State)),
		DedupKey:    d.key(text),
		Title:       sdk.Line(text(d.Title)),
		Description: sdk.Paragraphs(text(d.Description)),
		SeverityRaw: sdk.Line(text(d.Severity)),
		Service:     sdk.Line(text(d.Service)),
		SourceURL:   sdk.AbsoluteURL(text(d.Source)),
		OccurredAt:  sdk.ParseTime(text(d.OccurredAt)),
	}
	if d.Labels != nil {
		from := body
		if d.Labels.Element {
			from = element
		}
		e.Labels = labelsOf(at(from, d.Labels.Path))
	}
	if e.Action == sdk.Resolve {
		e.EndedAt = sdk.ParseTime(text(d.EndedAt))
	} else {
		e.Severity = sdk.SeverityOf(e.SeverityRaw)
	}
	kept := map[string]sdk.Text{}
	for _, m := range d.Rest {
		kept[m.Role] = sdk.Text(text(m))
	}
	e.Metadata = sdk.Kept(kept)
	return e
}

func (d *Draft) action(state string) sdk.Action {
	ends := false
	switch d.Ends {
	case EndsByWord:
		if action := sdk.ActionOf(state); action != "" {
			return action
		}
	case EndsByGuess:
		ends = state == d.EndWord
	case EndsIfTrue:
		ends = state == "true"
	case EndsIfFalse:
		ends = state == "false"
	case EndsByTime:
		ends = !sdk.ParseTime(state).IsZero()
	}
	if ends {
		return sdk.Resolve
	}
	return sdk.Trigger
}

func (d *Draft) key(text func(*Member) string) string {
	if d.Key != nil {
		return sdk.Line(text(d.Key))
	}
	var parts []string
	for _, m := range d.KeyParts {
		parts = append(parts, text(m))
	}
	if slices.Contains(parts, "") {
		return ""
	}
	return sdk.Fingerprint(parts...)
}

// labelsOf is what sdk.Labels makes of a decoded value.
func labelsOf(value any) map[string]string {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	var l sdk.Labels
	_ = l.UnmarshalJSON(raw) // it never fails
	return l
}
