package main

import (
	"strings"

	"bellcrank.example/sdk"
)

// identityRule is one way to name a problem.
type identityRule struct {
	setting string // the value of the setting "identity"
	says    string // for the incident's explanation
	key     func(*monitor) string
}

// identityRules stand in order of trust. The event id isn't among them:
// Datadog draws a new one for the recovery.
var identityRules = []identityRule{
	{"dedup_key", "dedup key", func(m *monitor) string {
		return m.members.text("dedupkey", "deduplicationkey", "alertuid", "incidentkey")
	}},
	{"cycle_key", "cycle key", func(m *monitor) string { return prefixed("cycle:", m.cycle) }},
	{"monitor_scope", "monitor and scope", func(m *monitor) string {
		if len(m.scope) == 0 {
			return ""
		}
		return m.series()
	}},
	{"aggreg_key", "aggregation key", func(m *monitor) string { return prefixed("aggreg:", m.aggregate) }},
	{"signal", "security signal", func(m *monitor) string { return prefixed("signal:", m.members.text("securitysignalid")) }},
	{"monitor", "monitor", func(m *monitor) string {
		if m.id == "" {
			return ""
		}
		return "monitor:" + m.id + "|*"
	}},
	{"title", "title and scope", func(m *monitor) string {
		return prefixed("title:", strings.ToLower(m.title)) + prefixed("|", strings.Join(m.scope, ","))
	}},
}

// series names the monitor's group through all its cycles.
func (mon *monitor) series() string {
	if mon.id == "" {
		return ""
	}
	return "monitor:" + mon.id + "|" + firstOf(strings.Join(mon.scope, ","), "*")
}

// identify gives the event its key by the first rule that applies. A rule
// that the operator prefers comes before all others.
func (mon *monitor) identify(event *sdk.Event, preferred string) {
	rule, key := mon.firstRule(func(r identityRule) bool { return r.setting == preferred })
	if key == "" {
		rule, key = mon.firstRule(func(identityRule) bool { return true })
	}
	if key == "" {
		return
	}
	event.DedupKey, event.IdentityRule = key, rule.says
	// A cycle ends with the recovery; what comes back is the series.
	if rule.setting == "cycle_key" {
		event.SeriesKey = mon.series()
	}
}

func (mon *monitor) firstRule(allowed func(identityRule) bool) (identityRule, string) {
	for _, rule := range identityRules {
		if !allowed(rule) {
			continue
		}
		if key := rule.key(mon); key != "" {
			return rule, key
		}
	}
	return identityRule{}, ""
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}
