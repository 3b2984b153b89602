package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/getsentry/sentry-go"

	"bellcrank.example/sdk"
)

// levels map Sentry's levels. "sample" is what the product calls its own
// example events.
var levels = map[sentry.Level]sdk.Severity{
	sentry.LevelFatal:   sdk.Critical,
	sentry.LevelError:   sdk.High,
	sentry.LevelWarning: sdk.Medium,
	sentry.LevelInfo:    sdk.Low,
	sentry.LevelDebug:   sdk.PreEmptive,
	"sample":            sdk.PreEmptive,
}

// severity of a level; "error" is what Sentry itself takes for a missing one.
// A level that isn't Sentry's stays empty: the operator decides.
func severity(candidates ...text) (level sdk.Severity, raw string) {
	raw = strings.ToLower(firstOf(candidates...))
	if raw == "" {
		return levels[sentry.LevelError], ""
	}
	return levels[sentry.Level(raw)], raw
}

var issueInURL = regexp.MustCompile(`/issues/(\d+)`)

// issueIdentity names the issue, under one key for all hooks about it: the
// alert opens and the issue's own hook closes. Without an id in sight the
// title has to do, as an event's id is new each time.
func issueIdentity(id text, urls []text, project, title string) (key, rule string) {
	if id != "" {
		return "sentry:issue:" + string(id), "issue id"
	}
	for _, u := range urls {
		if found := issueInURL.FindStringSubmatch(string(u)); found != nil {
			return "sentry:issue:" + found[1], "issue id in URL"
		}
	}
	if title == "" {
		return "", ""
	}
	return "sentry:title:" + project + ":" + strings.ToLower(title), "project and title"
}

// untitled is the title of an issue of which nothing but its id is known; ""
// if not even that.
func untitled(key string) string {
	if id, ok := strings.CutPrefix(key, "sentry:issue:"); ok {
		return sdk.Line("Sentry issue " + id)
	}
	return ""
}

var projectInURL = regexp.MustCompile(`/projects/[^/]+/([^/?#]+)/`)

// projectSlug finds the slug: an event has the project's number only, but its
// API address has the slug.
func projectSlug(p project, urls ...text) string {
	if p.Slug != "" {
		return string(p.Slug)
	}
	for _, u := range urls {
		if found := projectInURL.FindStringSubmatch(string(u)); found != nil {
			return found[1]
		}
	}
	return string(p.Name)
}

// service is the project, unless the operator names tags that know better.
func service(s settings, t tags, project string) string {
	for _, key := range s.ServiceTags {
		if value := t[key]; value != "" {
			return value
		}
	}
	return project
}

// customerImpact is unknown unless the operator says from how many users on.
func customerImpact(s settings, users int) *bool {
	if s.CustomerImpactUsers <= 0 {
		return nil
	}
	impact := users >= s.CustomerImpactUsers
	return &impact
}

// facts collect what may be kept about a problem. It is always a list of
// chosen members: the rest of an event is full of people's data.
type facts map[string]any

func (f facts) put(name string, value text) facts {
	if value != "" {
		f[name] = string(value)
	}
	return f
}

// labels are the facts by which people route.
func labels(pairs ...string) map[string]string {
	l := map[string]string{}
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			l[pair[0]] = pair[1]
		}
	}
	return l
}

// paragraphs joins what isn't empty and says more than the title.
func paragraphs(title string, parts ...string) string {
	var kept []string
	for _, part := range parts {
		part = strings.TrimSpace(part)
		if part != "" && !strings.Contains(title, part) && !slices.Contains(kept, part) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "\n\n")
}
