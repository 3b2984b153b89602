package core

import "bellcrank.example/sdk"

// Matcher selects incidents without a language: everything that is given must
// hold, and an empty field holds always. Patterns know "*" for any characters
// and "?" for one; letter case doesn't count. Package route compiles it.
type Matcher struct {
	Integrations []string          // any of these patterns of "TYPE/NAME"; "TYPE" is "TYPE/*"
	Severities   []sdk.Severity    // any of these; see route.ParseSeverities
	Services     []string          // any of these patterns
	Labels       map[string]string // all of these: label -> pattern; a label that is missing has only ""
	Titles       []string          // any of these patterns
}

// Empty reports whether the matcher holds for every incident.
func (m Matcher) Empty() bool {
	return len(m.Integrations) == 0 && len(m.Severities) == 0 && len(m.Services) == 0 &&
		len(m.Labels) == 0 && len(m.Titles) == 0
}

// size is how much is to be compared, in bytes.
func (m Matcher) size() int {
	n := 0
	for _, list := range [][]string{m.Integrations, m.Services, m.Titles} {
		for _, p := range list {
			n += len(p) + 1
		}
	}
	for label, p := range m.Labels {
		n += len(label) + len(p) + 1
	}
	return n
}
