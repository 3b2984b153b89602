package core

import (
	"slices"

	"bellcrank.example/sdk"
)

// CheckTemplates looks for placeholders that a sender has not filled in, where
// an operator's webhook template would have them: title, severity, service and
// dedup key. Only whole values count; vendors' own texts may have braces.
//
// An event without a title of its own tells nothing about a problem, so it
// counts as a test. What has only a severity, service or key like that still
// tells of one, and loses just that. With StrictTemplates each such event is a
// rejection instead; if nothing else is left, that is the *sdk.Failure which
// is returned.
func CheckTemplates(in *Integration, r sdk.Result) (sdk.Result, error) {
	c := templates{in: in, result: r, noted: map[string]bool{}}
	for _, note := range r.Notes {
		if member, ok := sdk.UnrenderedMember(note); ok {
			c.noted[member] = true
		}
	}
	c.result.Events = nil
	for i, e := range r.Events {
		c.event(i, e)
	}
	if len(c.noted) > 0 && in.Info.Template != "" {
		c.note(in.Info.Template)
	}
	if c.refused != nil && len(c.result.Events)+len(r.Rejected) == 0 {
		return sdk.Result{}, c.refused
	}
	return c.result, nil
}

// templates is CheckTemplates at work.
type templates struct {
	in      *Integration
	result  sdk.Result
	noted   map[string]bool // members that a note is about
	refused *sdk.Failure    // the first
}

// note adds a note, without touching the list of the caller.
func (c *templates) note(text string) {
	c.result.Notes = append(slices.Clip(c.result.Notes), text)
}

func (c *templates) event(index int, e sdk.Event) {
	for _, member := range []struct {
		name  string
		value *string
	}{{"title", &e.Title}, {"severity", &e.SeverityRaw}, {"service", &e.Service}, {"dedup_key", &e.DedupKey}} {
		if !sdk.Unrendered(*member.value) {
			continue
		}
		note := sdk.UnrenderedNote(member.name, *member.value)
		if !c.noted[member.name] {
			c.noted[member.name] = true
			c.note(note)
		}
		if c.in.StrictTemplates {
			c.refuse(index, member.name, note)
			return
		}
		switch member.name {
		case "title":
			e.Test = true
		case "severity":
			e.Severity = ""
		default:
			*member.value = ""
		}
	}
	c.result.Events = append(c.result.Events, e)
}

func (c *templates) refuse(index int, member, reason string) {
	if c.refused == nil {
		c.refused = &sdk.Failure{Code: sdk.Unsupported, Path: member, Message: reason}
	}
	c.result.Rejected = append(slices.Clip(c.result.Rejected), sdk.Rejection{Index: index, Path: member, Reason: reason})
}
