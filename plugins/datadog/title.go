package main

import (
	"regexp"
	"slices"
	"strings"

	"bellcrank.example/sdk"
)

// transition is what happened to a monitor.
type transition string

const (
	unknown   transition = ""
	triggered transition = "triggered"
	warned    transition = "warn"
	noData    transition = "no data"
	recovered transition = "recovered"
)

// transitions are the words for transitions, as plain names. A longer word
// stands before the one that it begins with.
var transitions = []struct {
	word string
	is   transition
	// family: every member value that begins with the word means the same.
	// A title has to match exactly, as its brackets may hold anything.
	family bool
}{
	{word: "recovered", is: recovered, family: true},
	{word: "triggered", is: triggered, family: true},
	{word: "retriggered", is: triggered, family: true},
	{word: "renotify", is: triggered, family: true},
	{word: "nodata", is: noData, family: true},
	{word: "renodata", is: noData, family: true},
	{word: "warn", is: warned, family: true},
	{word: "rewarn", is: warned, family: true},
	{word: "warning", is: warned},
	{word: "alert", is: triggered},
	{word: "realert", is: triggered},
	{word: "resolved", is: recovered},
	{word: "ok", is: recovered},
}

// transitionInTitle reads the word in a title's brackets.
func transitionInTitle(word string) transition {
	word = plainName(word)
	for _, t := range transitions {
		if word == t.word {
			return t.is
		}
	}
	return unknown
}

// transitionOf reads the value of a member.
func transitionOf(value string) transition {
	if t := transitionInTitle(value); t != unknown {
		return t
	}
	value = plainName(value)
	for _, t := range transitions {
		if t.family && strings.HasPrefix(value, t.word) {
			return t.is
		}
	}
	return unknown
}

// heading is a title taken apart. Datadog writes
//
//	[P2] [Triggered on {host:a,env:prod}] [TEST] what the monitor is called
//
// and every group may be absent.
type heading struct {
	text       string // what is left, on one line
	priority   string // "P2"
	transition transition
	scope      []string // sorted
	test       bool
}

var priorityWord = regexp.MustCompile(`^(?i)p[1-5]$`)

func readHeading(title string) heading {
	h := heading{text: sdk.Line(title)}
	for range maxGroups {
		group, rest, ok := leadingGroup(h.text)
		if !ok || !h.take(group) {
			break
		}
		h.text = rest
	}
	return h
}

// maxGroups is more than Datadog ever writes before a title.
const maxGroups = 8

// leadingGroup splits "[group] rest". A scope in the group may hold brackets
// of its own, so it ends with "}]".
func leadingGroup(title string) (group, rest string, ok bool) {
	if !strings.HasPrefix(title, "[") {
		return "", "", false
	}
	end := "]"
	closing := strings.Index(title, end)
	if closing >= 0 && strings.Contains(title[:closing], "{") {
		end = "}]"
		closing = strings.Index(title, end)
	}
	if closing < 0 {
		return "", "", false
	}
	closing += len(end)
	return title[1 : closing-1], strings.TrimSpace(title[closing:]), true
}

// take reads one group and reports whether it is one of Datadog's.
func (h *heading) take(group string) bool {
	word, scope, scoped := strings.Cut(group, " on {")
	word = strings.TrimSpace(word)
	switch {
	case priorityWord.MatchString(word):
		h.priority = strings.ToUpper(word)
	case strings.EqualFold(word, "test"):
		h.test = true
	case transitionInTitle(word) != unknown:
		h.transition = transitionInTitle(word)
	default:
		return false
	}
	if scoped {
		h.scope = sortedScope(strings.Split(strings.TrimSuffix(scope, "}"), ","))
	}
	return true
}

// sortedScope makes one spelling of a scope, as its order isn't promised. The
// scope of a monitor without groups is a star, which is none.
func sortedScope(items []string) []string {
	var scope []string
	for _, item := range cleanList(items) {
		if item != "*" {
			scope = append(scope, item)
		}
	}
	slices.Sort(scope)
	return scope
}
