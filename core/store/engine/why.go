package engine

import (
	"encoding/json"
	"fmt"

	"bellcrank.example/core"
)

// why is core.Why as JSON, as incident_version keeps it.
type why struct {
	Decisions []decision `json:"routes,omitempty"`
	Omitted   int        `json:"omitted,omitempty"`
	Held      string     `json:"held,omitempty"`
	Released  int64      `json:"released,omitempty"` // microseconds
	Owed      []string   `json:"owed,omitempty"`
	Unwanted  []string   `json:"unwanted,omitempty"`
}

type decision struct {
	Route   string   `json:"route,omitempty"`
	Matched bool     `json:"matched,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	To      []string `json:"to,omitempty"`
}

// EncodeWhy returns what decided a version as JSON.
func EncodeWhy(w core.Why) string {
	o := newObject(make([]byte, 0, 256))
	if len(w.Decisions) > 0 {
		o.name("routes")
		o.raw = append(o.raw, '[')
		for i, d := range w.Decisions {
			if i > 0 {
				o.raw = append(o.raw, ',')
			}
			d := decision(d)
			d.write(&o)
		}
		o.raw = append(o.raw, ']')
	}
	o.num("omitted", int64(w.Omitted))
	o.text("held", w.Held)
	o.num("released", Micros(w.Released))
	o.texts("owed", w.Owed)
	o.texts("unwanted", w.Unwanted)
	raw, _ := o.end() // texts and numbers can't fail
	return string(raw)
}

func (d *decision) write(o *object) {
	o.raw = append(o.raw, '{')
	o.text("route", d.Route)
	o.flag("matched", d.Matched)
	o.text("reason", d.Reason)
	o.texts("to", d.To)
	o.raw = append(o.raw, '}')
}

// DecodeWhy returns what EncodeWhy has written.
func DecodeWhy(raw []byte) (core.Why, error) {
	var w why
	if err := json.Unmarshal(raw, &w); err != nil {
		return core.Why{}, fmt.Errorf("decode what decided a version: %w", err)
	}
	out := core.Why{Omitted: w.Omitted, Held: w.Held, Released: Time(w.Released), Owed: w.Owed, Unwanted: w.Unwanted}
	for _, d := range w.Decisions {
		out.Decisions = append(out.Decisions, core.Decision(d))
	}
	return out, nil
}
