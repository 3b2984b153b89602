package main

import (
	"bytes"
	"context"
	"encoding/json"
	"mime"
	"net/url"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/plugins/internal/loose"
	"bellcrank.example/sdk"
)

// headerEvent names the kind of an event; the body doesn't.
const headerEvent = "X-Github-Event"

type settings struct {
	Branches []string `json:"branches" doc:"Branches whose workflows, check suites and deployments count, with * for any text within a path segment; all if empty."`
}

type adapter struct{}

// Adapt makes one event of a webhook, or says why there is none.
func (adapter) Adapt(_ context.Context, r sdk.Request) (sdk.Result, error) {
	s, err := sdk.Settings[settings](r)
	if err != nil {
		return sdk.Result{}, err
	}
	members, err := read(r)
	if err != nil {
		return sdk.Result{}, err
	}
	h := decode(members)
	kind := r.Header.Get(headerEvent)
	if kind == "" {
		kind = guess(members)
	}
	if reason, ok := uninteresting[kind]; ok {
		return sdk.Result{Ignored: reason}, nil
	}
	interpret, ok := makers[kind]
	if !ok {
		return other(kind, members)
	}
	return interpret(&h, s)
}

// read takes the members out of a body. GitHub sends it as it is, or as the
// field "payload" of a form.
func read(r sdk.Request) (flat.Members, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // what can't be read is JSON
	if kind != "application/x-www-form-urlencoded" || bytes.HasPrefix(bytes.TrimSpace(r.Body), []byte("{")) {
		return flat.Parse(r.Body)
	}
	form, err := url.ParseQuery(string(r.Body))
	if err != nil || !form.Has("payload") {
		return nil, &sdk.Failure{Code: sdk.Malformed, Path: "payload", Message: "the form has no field payload"}
	}
	return flat.Parse([]byte(form.Get("payload")))
}

// hook is the part of GitHub's webhook bodies that is read. Each kind of event
// has an object of its own beside action and repository.
type hook struct {
	Action           loose.Text                    `json:"action"`
	Repository       loose.Value[repository]       `json:"repository"`
	Organization     loose.Value[account]          `json:"organization"`
	Sender           loose.Value[account]          `json:"sender"`
	Workflow         loose.Value[workflow]         `json:"workflow"`
	WorkflowRun      loose.Value[run]              `json:"workflow_run"`
	CheckSuite       loose.Value[run]              `json:"check_suite"`
	Deployment       loose.Value[deployment]       `json:"deployment"`
	DeploymentStatus loose.Value[deploymentStatus] `json:"deployment_status"`
	Alert            loose.Value[alert]            `json:"alert"`
}

type account struct {
	Login loose.Text `json:"login"`
}

type repository struct {
	ID       loose.Text `json:"id"`
	Name     loose.Text `json:"name"`
	FullName loose.Text `json:"full_name"`
	HTMLURL  loose.Text `json:"html_url"`
}

func decode(m flat.Members) hook {
	var h hook
	if object, err := json.Marshal(m); err == nil {
		_ = json.Unmarshal(object, &h) // every member takes every value
	}
	return h
}

// makers are the kinds of event that may tell of a problem.
var makers = map[string]func(*hook, settings) (sdk.Result, error){
	"workflow_run":                   (*hook).workflowRun,
	"check_suite":                    (*hook).checkSuite,
	"deployment_status":              (*hook).deploymentStatus,
	"dependabot_alert":               (*hook).dependabot,
	"repository_vulnerability_alert": (*hook).dependabot, // before 2022
	"code_scanning_alert":            (*hook).codeScanning,
	"secret_scanning_alert":          (*hook).secretScanning,
}

// uninteresting are the kinds that come along with those of makers.
var uninteresting = map[string]string{
	"ping":                           "GitHub's ping: the webhook is set up",
	"check_run":                      "a single check: its check suite tells how all of them ended",
	"workflow_job":                   "a single job: its workflow run tells how all of them ended",
	"status":                         "a commit status: check suites and workflow runs tell of failures",
	"secret_scanning_alert_location": "where a secret is: the alert itself came before",
}

// guess tells the kind of a body that came without its header, as from a
// relay, by the object in it.
func guess(m flat.Members) string {
	for _, kind := range []string{"workflow_run", "check_suite", "deployment_status", "check_run", "workflow_job"} {
		if m.Has(kind) {
			return kind
		}
	}
	if m.Has("zen") && m.Has("hook_id") {
		return "ping"
	}
	alert := flat.Members{}
	_ = json.Unmarshal(m["alert"], &alert) // what is no object has no members
	switch {
	case alert.Has("security_advisory"), alert.Has("security_vulnerability"):
		return "dependabot_alert"
	case alert.Has("rule"):
		return "code_scanning_alert"
	case alert.Has("secret_type"):
		return "secret_scanning_alert"
	}
	return ""
}

// other ignores the kinds that tell of no problem, such as pushes and issues.
// A body of no kind at all may be in the shape that people write.
func other(kind string, m flat.Members) (sdk.Result, error) {
	if kind != "" {
		return sdk.Result{Ignored: "GitHub's event " + sdk.Line(kind) + " tells of no problem"}, nil
	}
	e, notes, err := flat.Event(m)
	if err != nil {
		return sdk.Result{}, &sdk.Failure{
			Code: sdk.Unsupported, Path: headerEvent,
			Message: "no event of GitHub's: the header X-GitHub-Event is missing, and the body has neither an object that we know nor a title",
		}
	}
	return sdk.Result{Events: []sdk.Event{e}, Notes: notes}, nil
}

// repo names the repository, for identity: its id stays when it is renamed.
func (h *hook) repo() string {
	return loose.First(h.Repository.V.ID, h.Repository.V.FullName, h.Repository.V.Name)
}

// event begins an event about the repository.
func (h *hook) event(action sdk.Action, title string) sdk.Event {
	e := sdk.Event{
		Action: action, Title: sdk.Line(title), Service: loose.First(h.Repository.V.Name, h.Repository.V.FullName),
		Labels: map[string]string{}, Metadata: map[string]any{},
	}
	label(&e, "repository", h.Repository.V.FullName)
	label(&e, "organization", h.Organization.V.Login)
	if sender := loose.First(h.Sender.V.Login); sender != "" {
		e.Metadata["sender"] = sender
	}
	return e
}

func label(e *sdk.Event, name string, value loose.Text) {
	if text := loose.First(value); text != "" {
		e.Labels[name] = text
	}
}

// one finishes a result with one event. A resolve carries no severity.
func one(e sdk.Event) (sdk.Result, error) {
	if e.Action == sdk.Resolve {
		e.Severity, e.EndedAt = "", e.OccurredAt
	}
	return sdk.Result{Events: []sdk.Event{e}}, nil
}

func missing(path string) (sdk.Result, error) {
	return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: path, Message: "missing: without it the event has no identity"}
}
