package route

import (
	"fmt"
	"slices"
	"strings"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// words says why a route doesn't want an incident.
func (r *compiled) words(member string, in *core.Incident) string {
	m := &r.source
	switch member {
	case "severity":
		return fmt.Sprintf("severity is %s, wanted is %s", in.Severity, severityWords(m.Severities))
	case "integration":
		return fmt.Sprintf("integration is %s, wanted is %s", in.Integration, anyOf(m.Integrations))
	case "service":
		return fmt.Sprintf("service is %q, wanted is %s", in.Service, anyOf(m.Services))
	case "title":
		return fmt.Sprintf("title is %q, wanted is %s", in.Title, anyOf(m.Titles))
	case "labels":
		return r.labelWords(in)
	case "when":
		return "its condition doesn't hold"
	}
	return member
}

// labelWords names the first label that doesn't fit.
func (r *compiled) labelWords(in *core.Incident) string {
	for i := range r.match.labels {
		l := &r.match.labels[i]
		value, there := in.Labels[l.label]
		want := r.source.Labels[l.label]
		switch {
		case !there && l.pattern.lower != "":
			return fmt.Sprintf("label %s is missing, wanted is %q", l.label, want)
		case !l.pattern.match(value):
			return fmt.Sprintf("label %s is %q, wanted is %q", l.label, value, want)
		}
	}
	return "a label doesn't fit"
}

func severityWords(levels []sdk.Severity) string {
	words := make([]string, len(levels))
	for i, s := range levels {
		words[i] = string(s)
	}
	return strings.Join(words, " or ")
}

func anyOf(patterns []string) string {
	quoted := make([]string, len(patterns))
	for i, p := range patterns {
		quoted[i] = fmt.Sprintf("%q", p)
	}
	return strings.Join(quoted, " or ")
}

// Covers reports whether everything that b holds for is held for by a. It may
// say no where a cleverer look would say yes, never the other way round.
func Covers(a, b Matcher) bool {
	return coversAny(a.Integrations, b.Integrations, integrationCovers) &&
		coversAny(a.Services, b.Services, patternCovers) && coversAny(a.Titles, b.Titles, patternCovers) &&
		coversSeverities(a.Severities, b.Severities) && coversLabels(a.Labels, b.Labels)
}

// coversAny reports whether each of b's alternatives is covered by one of a's.
func coversAny(a, b []string, covers func(a, b string) bool) bool {
	if len(a) == 0 {
		return true
	}
	uncovered := func(p string) bool {
		return !slices.ContainsFunc(a, func(wide string) bool { return covers(wide, p) })
	}
	return len(b) > 0 && !slices.ContainsFunc(b, uncovered)
}

func integrationCovers(a, b string) bool {
	kindA, nameA, _ := strings.Cut(a, "/")
	kindB, nameB, _ := strings.Cut(b, "/")
	if nameA == "" {
		nameA = "*"
	}
	if nameB == "" {
		nameB = "*"
	}
	return patternCovers(kindA, kindB) && patternCovers(nameA, nameB)
}

func patternCovers(a, b string) bool {
	wide, narrow := newPattern(a), newPattern(b)
	return wide == narrow || wide.lower == "*" || !strings.ContainsAny(b, "*?") && wide.match(b)
}

func coversSeverities(a, b []sdk.Severity) bool {
	missing := func(s sdk.Severity) bool { return !slices.Contains(a, s) }
	return len(a) == 0 || len(b) > 0 && !slices.ContainsFunc(b, missing)
}

func coversLabels(a, b map[string]string) bool {
	for label, wide := range a {
		narrow, there := b[label]
		if !there || !patternCovers(wide, narrow) || narrow == "" && wide != "" {
			return false
		}
	}
	return true
}
