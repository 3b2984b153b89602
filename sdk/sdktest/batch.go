package sdktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"bellcrank.example/sdk"
)

// place is where a body holds the elements of a batch.
type place struct {
	name  string // of the member; empty: the body is the list
	first any
	put   func(elements ...any) any
}

// places lists where a batch may be: the body itself, or a member of it.
func places(body any) []place {
	whole := func(elements ...any) any { return elements }
	switch v := body.(type) {
	case []any:
		if len(v) > 0 {
			return []place{{first: v[0], put: whole}}
		}
	case map[string]any:
		all := []place{{first: v, put: whole}}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if list, ok := v[name].([]any); ok && len(list) > 0 {
				put := func(elements ...any) any { return with(v, name, elements) }
				all = append(all, place{name: name, first: list[0], put: put})
			}
		}
		return all
	}
	return nil
}

// survives says which damage to one element of a batch costs another one its
// events. A list is a batch if two of its elements give the events of each.
func survives(a sdk.Adapter, r sdk.Request) error {
	body, ok := parse(r.Body)
	if !ok {
		return nil
	}
	for _, p := range places(body) {
		if err := p.survives(a, r); err != nil {
			return err
		}
	}
	return nil
}

func (p place) survives(a sdk.Adapter, r sdk.Request) error {
	alone, ok := texts(a, r, p.put(p.first))
	both, _ := texts(a, r, p.put(p.first, p.first))
	if !ok || len(alone) == 0 || !slices.Equal(both, slices.Concat(alone, alone)) {
		return nil
	}
	for _, bad := range p.bad() {
		before, ok := texts(a, r, p.put(bad, p.first))
		if !ok || len(before) < len(alone) || !slices.Equal(before[len(before)-len(alone):], alone) {
			return p.lost(bad, "behind")
		}
		after, ok := texts(a, r, p.put(p.first, bad))
		if !ok || len(after) < len(alone) || !slices.Equal(after[:len(alone)], alone) {
			return p.lost(bad, "before")
		}
	}
	return nil
}

// bad returns what may stand in the place of an element.
func (p place) bad() []any {
	all := []any{nil, "x", json.Number("1"), true, []any{}, map[string]any{}}
	for _, d := range damages(p.first) {
		all = append(all, d.done(p.first))
	}
	m := mutator{values: 2}
	return append(all, m.mutations(p.first, 0)...)
}

func (p place) lost(bad any, where string) error {
	encoded, err := json.Marshal(bad)
	if err != nil {
		return err
	}
	return fmt.Errorf("batch %q: the element %s this one changed or is lost: %s", p.name, where, encoded[:min(len(encoded), 2000)])
}

// texts returns the events of a body, encoded; false if it is refused.
func texts(a sdk.Adapter, r sdk.Request, body any) ([]string, bool) {
	events, err := eventsOf(a, r, body)
	all := make([]string, len(events))
	for i := range events {
		encoded, err := json.Marshal(events[i])
		if err != nil {
			return nil, false
		}
		all[i] = string(encoded)
	}
	return all, err == nil
}
