package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Noise is what of an incident says how its news is kept down, besides what
// has a column.
type Noise struct {
	HeldUntil   int64         `json:"held_until,omitempty"` // times in microseconds
	AutoResolve time.Duration `json:"auto_resolve,omitempty"`
	Flap        *flap         `json:"flap,omitempty"`
	Grouped     *grouped      `json:"grouped,omitempty"`
}

type flap struct {
	Since int64         `json:"since"`
	Last  int64         `json:"last"`
	Quiet time.Duration `json:"quiet"`
	Over  bool          `json:"over,omitempty"`
}

type grouped struct {
	Rule      string `json:"rule"`
	Values    string `json:"values"`
	First     string `json:"first"`
	Members   int    `json:"members"`
	Burning   int    `json:"burning"`
	WaitUntil int64  `json:"wait_until,omitempty"`
}

func noiseOf(in *core.Incident) Noise {
	n := Noise{HeldUntil: Micros(in.Held.Until), AutoResolve: in.AutoResolve}
	if f := in.Flap; f.On() {
		n.Flap = &flap{Micros(f.Since), Micros(f.Last), f.Quiet, f.Over}
	}
	if g := in.Grouped; g != nil {
		n.Grouped = &grouped{g.Rule, g.Values, g.First, g.Members, g.Burning, Micros(g.WaitUntil)}
	}
	return n
}

func (n *Noise) write(o *object) {
	o.num("held_until", n.HeldUntil)
	o.num("auto_resolve", int64(n.AutoResolve))
	if n.Flap != nil {
		o.name("flap")
		o.value(n.Flap)
	}
	if n.Grouped != nil {
		o.name("grouped")
		o.value(n.Grouped)
	}
}

func (n *Noise) apply(in *core.Incident) {
	in.Held.Until, in.AutoResolve = Time(n.HeldUntil), n.AutoResolve
	if f := n.Flap; f != nil {
		in.Flap = core.Flap{Since: Time(f.Since), Last: Time(f.Last), Quiet: f.Quiet, Over: f.Over}
	}
	if g := n.Grouped; g != nil {
		in.Grouped = &core.Grouped{
			Rule: g.Rule, Values: g.Values, First: g.First, Members: g.Members, Burning: g.Burning, WaitUntil: Time(g.WaitUntil),
		}
	}
}

// EncodeTimes returns times as JSON, "" for none.
func EncodeTimes(times []time.Time) string {
	if len(times) == 0 {
		return ""
	}
	micros := make([]int64, len(times))
	for i, t := range times {
		micros[i] = Micros(t)
	}
	raw, _ := json.Marshal(micros) // numbers can't fail
	return string(raw)
}

// DecodeTimes returns what EncodeTimes has written.
func DecodeTimes(raw string) ([]time.Time, error) {
	if raw == "" {
		return nil, nil
	}
	var micros []int64
	if err := json.Unmarshal([]byte(raw), &micros); err != nil {
		return nil, fmt.Errorf("decode times: %w", err)
	}
	times := make([]time.Time, len(micros))
	for i, m := range micros {
		times[i] = Time(m)
	}
	return times, nil
}

// matcher is a core.Matcher as JSON, as silence keeps it.
type matcher struct {
	Integrations []string          `json:"integrations,omitempty"`
	Severities   []sdk.Severity    `json:"severities,omitempty"`
	Services     []string          `json:"services,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Titles       []string          `json:"titles,omitempty"`
}

// EncodeMatcher returns a matcher as JSON.
func EncodeMatcher(m core.Matcher) string {
	raw, _ := json.Marshal(matcher(m)) // strings can't fail
	return string(raw)
}

// DecodeMatcher returns what EncodeMatcher has written.
func DecodeMatcher(raw string) (core.Matcher, error) {
	var m matcher
	if err := json.Unmarshal([]byte(raw), &m); err != nil {
		return core.Matcher{}, fmt.Errorf("decode a matcher: %w", err)
	}
	return core.Matcher(m), nil
}
