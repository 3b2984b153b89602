package main

import (
	"encoding/json"
	"fmt"
	"sync"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/expr"
)

// mapping is what an operator writes for a foreign shape: an expression for
// each part of an event.
type mapping struct {
	Name string `json:"name" label:"true"`

	When    *sdk.Expression `json:"when" gives:"bool" doc:"Whether the mapping is for a request: the first that is for it makes its events. Without it, it is for all."`
	ForEach *sdk.Expression `json:"for_each" doc:"A list or an object, of which each element, as each.value, makes an event. Without it the body makes one, and a list one of each element."`

	IgnoreWhen      *sdk.Expression `json:"ignore_when" gives:"bool" doc:"Whether there is nothing to tell of. Asked first."`
	ResolveWhen     *sdk.Expression `json:"resolve_when" gives:"bool" doc:"Whether the problem is over."`
	AcknowledgeWhen *sdk.Expression `json:"acknowledge_when" gives:"bool" doc:"Whether somebody works on it."`
	TriggerWhen     *sdk.Expression `json:"trigger_when" gives:"bool" doc:"Whether there is a problem. If it is written, what none of the conditions holds for is ignored."`
	Status          *sdk.Expression `json:"status" gives:"string" doc:"A word such as firing, acknowledged or resolved, instead of conditions."`

	Title            *sdk.Expression `json:"title" gives:"string" required:"true" doc:"One line; a problem needs one."`
	Description      *sdk.Expression `json:"description" gives:"string" doc:"Free text."`
	Severity         *sdk.Expression `json:"severity" gives:"severity" doc:"A level, or a vendor's word for one."`
	DedupKey         *sdk.Expression `json:"dedup_key" gives:"key" doc:"What names the problem, in its trigger and its resolve alike. Without it title and service do, if there is a condition or a status; with a part of it missing there is no key."`
	Service          *sdk.Expression `json:"service" gives:"string" doc:"The primary affected service."`
	AffectedServices *sdk.Expression `json:"affected_services" gives:"list" doc:"A list, or text with commas."`
	CustomerImpact   *sdk.Expression `json:"customer_impact" doc:"Whether customers notice it."`
	SourceURL        *sdk.Expression `json:"source_url" gives:"string" doc:"Where the vendor shows the problem: absolute."`
	OccurredAt       *sdk.Expression `json:"occurred_at" doc:"The vendor's time: RFC 3339, or Unix seconds, milli-, micro- or nanoseconds."`
	EndedAt          *sdk.Expression `json:"ended_at" doc:"The vendor's time of the end."`
	Test             *sdk.Expression `json:"test" gives:"bool" doc:"Whether it was sent to try the path."`
	Labels           *sdk.Expression `json:"labels" gives:"map" doc:"Short texts for routing and search."`
	Metadata         *sdk.Expression `json:"metadata" gives:"map" doc:"Whatever else is worth keeping; all of the element if it isn't written."`
	Links            *sdk.Expression `json:"links" doc:"An object of names and URLs, or a list of objects with name and url."`
}

// schemaOf lists the adapter's settings. What makes an event of an element may
// read the element, what finds the elements can't.
func schemaOf() []sdk.Setting {
	all := sdk.SettingsOf[settings]()
	for _, blocks := range all {
		for i, s := range blocks.Settings {
			if s.Name != "when" && s.Name != "for_each" {
				blocks.Settings[i].Reads = append([]string{"each"}, s.Reads...)
			}
		}
	}
	return all
}

// program is a compiled mapping.
type program struct {
	name   string
	fields map[string]*expr.Program // by the setting's name
}

// has reports whether one of the settings is written.
func (p *program) has(names ...string) bool {
	for _, name := range names {
		if p.fields[name] != nil {
			return true
		}
	}
	return false
}

// maxRemembered bounds how many settings are remembered.
const maxRemembered = 256

// memory keeps compiled mappings by the settings that they were written in.
type memory struct {
	mu    sync.Mutex
	known map[string][]*program
}

// programs returns the mappings of an integration's settings. What is known is
// forgotten when it is too much: reloads leave old settings behind.
func (m *memory) programs(settings json.RawMessage) ([]*program, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.known[string(settings)]; ok {
		return known, nil
	}
	programs, err := compile(settings)
	if err != nil {
		return nil, err
	}
	if m.known == nil || len(m.known) >= maxRemembered {
		m.known = map[string][]*program{}
	}
	m.known[string(settings)] = programs
	return programs, nil
}

// compile reads the mappings of an integration's settings. The gateway has
// checked them, so an error means that the two disagree.
func compile(raw json.RawMessage) ([]*program, error) {
	var s struct {
		Mappings []map[string]json.RawMessage `json:"mapping"`
	}
	if len(raw) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("decode settings: %w", err)
	}
	var programs []*program
	for _, written := range s.Mappings {
		p := &program{fields: map[string]*expr.Program{}}
		if err := json.Unmarshal(written["name"], &p.name); err != nil {
			return nil, fmt.Errorf("decode the name of a mapping: %w", err)
		}
		for _, setting := range schemaOf()[0].Settings {
			if written[setting.Name] == nil {
				continue
			}
			field, err := compileField(setting, written[setting.Name])
			if err != nil {
				return nil, fmt.Errorf("mapping %s: %s: %w", p.name, setting.Name, err)
			}
			p.fields[setting.Name] = field
		}
		programs = append(programs, p)
	}
	return programs, nil
}

func compileField(setting sdk.Setting, raw json.RawMessage) (*expr.Program, error) {
	var e sdk.Expression
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, err
	}
	return expr.Compile(e, expr.RulesOf(setting))
}
