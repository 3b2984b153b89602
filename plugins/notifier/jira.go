package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/alertmanager/notify"
	notifier "github.com/prometheus/alertmanager/notify/jira"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"bellcrank.example/sdk"
)

// jiraSettings are what an operator writes for Jira.
type jiraSettings struct {
	URL               string            `json:"url" required:"true" doc:"The site, such as https://acme.atlassian.net."`
	API               string            `json:"api" default:"auto" enum:"auto,cloud,datacenter" doc:"Which API it has; auto takes a host below atlassian.net for cloud."`
	Username          string            `json:"username" doc:"In the cloud: whose API token it is, by mail address. Without one the token is sent as a bearer token."`
	Token             string            `json:"token" required:"true" secret:"true" doc:"An API token, or in a data center a personal access token."`
	Project           string            `json:"project" required:"true" doc:"The key of the project."`
	IssueType         string            `json:"issue_type" required:"true" doc:"The type of the issues, such as Bug."`
	Labels            []string          `json:"labels" doc:"Labels of every issue."`
	Priorities        map[string]string `json:"priorities" doc:"Jira's priority by name for each of our severities; the project's default otherwise."`
	ResolveTransition string            `json:"resolve_transition" doc:"The transition that ends an issue, by name; it stays as it is otherwise."`
	ReopenTransition  string            `json:"reopen_transition" doc:"The transition that reopens an issue, by name; a new one is made otherwise."`
	ReopenDuration    string            `json:"reopen_duration" default:"30d" doc:"How long an ended issue is reopened."`
	WontFixResolution string            `json:"wont_fix_resolution" doc:"The resolution of issues that are left alone, by name."`
	Fields            map[string]string `json:"fields" doc:"Further fields of every issue, such as customfield_10010; a value that is a JSON object or list is sent as such."`
	texts
}

func jira() destination {
	return of[jiraSettings](sdk.Info{
		Type: "jira", Name: "Jira", Summary: "Keeps one issue per incident in Jira, and moves it when the incident ends or returns.",
		DocsURL: "https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/",
	})
}

func (s jiraSettings) check() error {
	if err := cmp.Or(
		checkURL(s.URL), filled("token", s.Token, "project", s.Project, "issue_type", s.IssueType), words(s.Priorities).check("priorities"),
	); err != nil {
		return err
	}
	for _, label := range s.Labels {
		if label == "" || strings.ContainsFunc(label, func(c rune) bool { return c <= ' ' }) {
			return fmt.Errorf("labels: %q must not be empty or have spaces", label)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
		if strings.Contains(s.Fields[name], "{{") {
			return fmt.Errorf("fields: %s must not have {{ in it", name)
		}
	}
	return checkTime("reopen_duration", s.ReopenDuration, time.Minute, 365*24*time.Hour)
}

func (s jiraSettings) notifier(m message, w *wire) (notify.Notifier, error) {
	site := w.url(s.URL)
	cloud := s.API == "cloud" || s.API == "auto" && strings.HasSuffix(site.Hostname(), ".atlassian.net")
	api, path := "datacenter", "rest/api/2"
	if cloud {
		api, path = "cloud", "rest/api/3"
	}
	site.URL = site.JoinPath(path)
	reopen, err := model.ParseDuration(s.ReopenDuration)
	if err != nil {
		return nil, err
	}
	c := notifier.JiraConfig{
		HTTPConfig: s.login(), APIURL: site, APIType: api,
		Project: literal(s.Project), IssueType: literal(s.IssueType), Priority: literal(words(s.Priorities).of(m.Incident.Severity, "")),
		Summary:          notifier.JiraFieldConfig{Template: literal(m.jiraSummary())},
		Description:      notifier.JiraFieldConfig{Template: literal(m.jiraDescription(cloud))},
		ReopenTransition: s.ReopenTransition, ReopenDuration: reopen, ResolveTransition: s.ResolveTransition, WontFixResolution: s.WontFixResolution,
		Fields: s.fields(),
	}
	for _, label := range s.Labels {
		c.Labels = append(c.Labels, literal(label))
	}
	return notifier.New(&c, m.templates(), logger, w.options()...)
}

func (s jiraSettings) login() *commoncfg.HTTPClientConfig {
	if s.Username == "" {
		return &commoncfg.HTTPClientConfig{Authorization: &commoncfg.Authorization{Type: "Bearer", Credentials: commoncfg.Secret(s.Token)}}
	}
	return &commoncfg.HTTPClientConfig{BasicAuth: &commoncfg.BasicAuth{Username: s.Username, Password: commoncfg.Secret(s.Token)}}
}

func (s jiraSettings) fields() map[string]any {
	fields := map[string]any{}
	for name, text := range s.Fields {
		var value any
		if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
			_ = json.Unmarshal([]byte(text), &value) // what is no JSON is a text
		}
		if value == nil {
			value = text
		}
		fields[name] = value
	}
	return fields
}

// jiraSummary is never empty: Jira refuses an issue without one.
func (m message) jiraSummary() string {
	if s := strings.TrimSpace(m.subject()); s != "" {
		return s
	}
	return "(no title)"
}

// jiraDescription is plain text in the form that the API takes.
func (m message) jiraDescription(cloud bool) string {
	text := m.text()
	for _, f := range m.facts() {
		text += "\n" + f.name + ": " + f.value
	}
	for _, l := range m.links() {
		text += "\n" + l.Name + ": " + l.URL
	}
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	if !cloud {
		return jiraMarkup.Replace(text)
	}
	return document(text)
}

// jiraMarkup is what Jira gives a meaning to in a text, [~somebody] among it.
var jiraMarkup = backslashed("\\{}[]*_^~!|?")

// maxDocument is what the notifier would cut a document to, in characters,
// which would break it.
const maxDocument = 32767

// document is a text as an Atlassian document: a paragraph for each line.
func document(text string) string {
	type node struct {
		Type    string `json:"type"`
		Text    string `json:"text,omitempty"`
		Version int    `json:"version,omitempty"`
		Content []node `json:"content,omitempty"`
	}
	for {
		doc := node{Type: "doc", Version: 1}
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				doc.Content = append(doc.Content, node{Type: "paragraph", Content: []node{{Type: "text", Text: line}}})
			}
		}
		encoded, err := json.Marshal(doc)
		if err != nil {
			return "" // texts can always be encoded
		}
		if utf8.RuneCount(encoded) <= maxDocument {
			return string(encoded)
		}
		text = cut(text, len(text)/2)
	}
}
