package sdk

import (
	"fmt"
	"strings"
)

// Severity is one of five levels, or empty: "the operator decides".
type Severity string

// The levels, most severe first.
const (
	Critical   Severity = "Critical"
	High       Severity = "High"
	Medium     Severity = "Medium"
	Low        Severity = "Low"
	PreEmptive Severity = "Pre-emptive"
)

// Severities lists the levels, most severe first.
func Severities() []Severity { return []Severity{Critical, High, Medium, Low, PreEmptive} }

// ParseSeverity reads one of the five levels in any letter case. Empty is
// empty, and every other word is an error: SeverityOf knows vendors' words.
func ParseSeverity(s string) (Severity, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", nil
	}
	for _, level := range Severities() {
		if strings.EqualFold(s, string(level)) {
			return level, nil
		}
	}
	return "", fmt.Errorf("severity %q: want Critical, High, Medium, Low or Pre-emptive", s)
}

// severityWords are the words that monitoring tools and people use, in lower
// case. Digits count as Datadog, PagerDuty and Opsgenie count: 1 is worst. An
// adapter whose vendor counts the other way must not use this table.
var severityWords = map[string]Severity{
	"critical": Critical, "crit": Critical, "page": Critical, "emergency": Critical, "emerg": Critical,
	"fatal": Critical, "disaster": Critical, "blocker": Critical,
	"p0": Critical, "p1": Critical, "sev0": Critical, "sev1": Critical, "sev-0": Critical, "sev-1": Critical, "1": Critical,

	"high": High, "error": High, "err": High, "major": High, "severe": High, "urgent": High,
	"p2": High, "sev2": High, "sev-2": High, "2": High,

	"medium": Medium, "warning": Medium, "warn": Medium, "moderate": Medium, "average": Medium,
	"minor": Medium, "ticket": Medium, "unknown": Medium,
	"p3": Medium, "sev3": Medium, "sev-3": Medium, "3": Medium,

	"low": Low, "info": Low, "information": Low, "informational": Low, "notice": Low, "normal": Low,
	"p4": Low, "sev4": Low, "sev-4": Low, "4": Low,

	"pre-emptive": PreEmptive, "preemptive": PreEmptive, "none": PreEmptive, "debug": PreEmptive,
	"trace": PreEmptive, "sample": PreEmptive, "hint": PreEmptive,
	"p5": PreEmptive, "sev5": PreEmptive, "sev-5": PreEmptive, "5": PreEmptive,
}

// SeverityOf maps a vendor's word to a level, ignoring letter case. A word
// that isn't in the table gives the empty severity: a team's own label values
// never cost it an alert, the operator's default decides.
func SeverityOf(word string) Severity {
	return severityWords[strings.ToLower(strings.TrimSpace(word))]
}

// rank orders severities; a higher rank is more severe.
func (s Severity) rank() int {
	switch s {
	case Critical:
		return 5
	case High:
		return 4
	case Medium:
		return 3
	case Low:
		return 2
	case PreEmptive:
		return 1
	}
	return 0
}

// Above reports whether s is more severe than other. The empty severity is
// below all.
func (s Severity) Above(other Severity) bool { return s.rank() > other.rank() }

// Valid reports whether s is one of the five levels.
func (s Severity) Valid() bool { return s.rank() > 0 }
