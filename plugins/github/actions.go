package main

import (
	"path"
	"time"

	"bellcrank.example/plugins/internal/loose"
	"bellcrank.example/sdk"
)

type workflow struct {
	ID   loose.Text `json:"id"`
	Name loose.Text `json:"name"`
	Path loose.Text `json:"path"`
}

// run is a workflow run or a check suite: they end in the same words.
type run struct {
	ID             loose.Text              `json:"id"`
	Name           loose.Text              `json:"name"`
	DisplayTitle   loose.Text              `json:"display_title"`
	Event          loose.Text              `json:"event"`
	WorkflowID     loose.Text              `json:"workflow_id"`
	RunNumber      loose.Text              `json:"run_number"`
	RunAttempt     loose.Text              `json:"run_attempt"`
	Conclusion     loose.Text              `json:"conclusion"`
	HeadBranch     loose.Text              `json:"head_branch"`
	HeadSHA        loose.Text              `json:"head_sha"`
	HeadRepository loose.Value[repository] `json:"head_repository"`
	HTMLURL        loose.Text              `json:"html_url"`
	UpdatedAt      loose.Text              `json:"updated_at"`
	App            loose.Value[app]        `json:"app"`
}

type app struct {
	Slug loose.Text `json:"slug"`
	Name loose.Text `json:"name"`
}

type deployment struct {
	Environment loose.Text `json:"environment"`
	Task        loose.Text `json:"task"`
	Ref         loose.Text `json:"ref"`
	SHA         loose.Text `json:"sha"`
}

type deploymentStatus struct {
	State       loose.Text `json:"state"`
	Description loose.Text `json:"description"`
	Environment loose.Text `json:"environment"`
	TargetURL   loose.Text `json:"target_url"`
	LogURL      loose.Text `json:"log_url"`
	UpdatedAt   loose.Text `json:"updated_at"`
}

// outcomes are the words for how something ended that say whether there is a
// problem. The others (cancelled, skipped, neutral, stale, action_required,
// pending, inactive) leave things as they are.
var outcomes = map[string]sdk.Action{
	"failure": sdk.Trigger, "timed_out": sdk.Trigger, "startup_failure": sdk.Trigger, "error": sdk.Trigger,
	"success": sdk.Resolve,
}

// workflowRun reads workflow_run. A failure lasts until the same workflow
// succeeds on the same branch, whichever run that is.
func (h *hook) workflowRun(s settings) (sdk.Result, error) {
	r := &h.WorkflowRun.V
	name := loose.First(h.Workflow.V.Name, r.Name, "workflow "+h.Workflow.V.ID)
	id := loose.First(h.Workflow.V.ID, r.WorkflowID, h.Workflow.V.Path, h.Workflow.V.Name, r.Name)
	if id == "" {
		return missing("workflow.id")
	}
	return h.ran(r, s, "workflow:"+id, name)
}

// checkSuite reads check_suite, for apps other than GitHub's own Actions.
func (h *hook) checkSuite(s settings) (sdk.Result, error) {
	c := &h.CheckSuite.V
	if c.App.V.Slug == "github-actions" {
		return sdk.Result{Ignored: "a check suite of GitHub Actions: workflow_run tells the same"}, nil
	}
	name := loose.First(c.App.V.Name, c.App.V.Slug, "checks")
	return h.ran(c, s, "checks:"+loose.First(c.App.V.Slug, c.App.V.Name), name)
}

func (h *hook) ran(r *run, s settings, what, name string) (sdk.Result, error) {
	branch, conclusion := loose.First(r.HeadBranch), loose.First(r.Conclusion)
	action, ended := outcomes[conclusion]
	switch {
	case h.repo() == "":
		return missing("repository.id")
	case h.Action != "completed" && !ended:
		return sdk.Result{Ignored: name + " has not ended yet"}, nil
	case !ended:
		return sdk.Result{Ignored: name + " ended with " + or(conclusion, "no conclusion") + ", which is neither good nor bad"}, nil
	case !s.counts(branch):
		return sdk.Result{Ignored: name + " ran on the branch " + or(branch, "without name") + ", which the setting branches leaves out"}, nil
	}
	e := h.event(action, name+" failed on "+loose.First(h.Repository.V.Name, h.Repository.V.FullName, "a repository")+on(branch))
	e.DedupKey, e.IdentityRule = h.repo()+"/"+what+"@"+h.fork(r)+branch, "workflow and branch"
	e.Description = loose.First(r.DisplayTitle)
	e.SeverityRaw, e.Severity = conclusion, sdk.SeverityOf(conclusion)
	e.SourceURL = loose.First(loose.Text(sdk.AbsoluteURL(string(r.HTMLURL))), loose.Text(sdk.AbsoluteURL(string(h.Repository.V.HTMLURL))))
	e.OccurredAt = instant(r.UpdatedAt)
	label(&e, "workflow", loose.Text(name))
	label(&e, "branch", r.HeadBranch)
	label(&e, "event", r.Event)
	keep(&e, map[string]loose.Text{"run_id": r.ID, "run_number": r.RunNumber, "run_attempt": r.RunAttempt, "head_sha": r.HeadSHA})
	return one(e)
}

// fork tells a fork's branch from one of the same name here.
func (h *hook) fork(r *run) string {
	of := loose.First(r.HeadRepository.V.ID, r.HeadRepository.V.FullName)
	if of == "" || of == h.repo() || of == loose.First(h.Repository.V.FullName) {
		return ""
	}
	return of + ":"
}

// counts reports whether the operator wants to hear of a branch. One without
// name is heard of.
func (s settings) counts(branch string) bool {
	if len(s.Branches) == 0 || branch == "" {
		return true
	}
	for _, pattern := range s.Branches {
		if ok, err := path.Match(pattern, branch); ok && err == nil || pattern == branch {
			return true
		}
	}
	return false
}

// deploymentStatus reads deployment_status. A failure lasts until something is
// deployed to the same environment.
func (h *hook) deploymentStatus(s settings) (sdk.Result, error) {
	d, state := &h.Deployment.V, &h.DeploymentStatus.V
	environment := loose.First(state.Environment, d.Environment)
	action, ended := outcomes[loose.First(state.State)]
	switch {
	case h.repo() == "":
		return missing("repository.id")
	case environment == "":
		return missing("deployment.environment")
	case !ended:
		return sdk.Result{Ignored: "the deployment is " + or(loose.First(state.State), "in no state that we know")}, nil
	case !s.counts(loose.First(d.Ref)):
		return sdk.Result{Ignored: "a deployment of " + loose.First(d.Ref) + ", which the setting branches leaves out"}, nil
	}
	e := h.event(action, "Deployment of "+loose.First(h.Repository.V.Name, h.Repository.V.FullName, "a repository")+" to "+environment+" failed")
	e.DedupKey, e.IdentityRule = h.repo()+"/deployment:"+environment+":"+loose.First(d.Task), "environment"
	e.Description = loose.First(state.Description)
	e.SeverityRaw, e.Severity = loose.First(state.State), sdk.SeverityOf(string(state.State))
	for _, link := range []loose.Text{state.LogURL, state.TargetURL, h.Repository.V.HTMLURL} {
		if e.SourceURL == "" {
			e.SourceURL = sdk.AbsoluteURL(string(link))
		}
	}
	e.OccurredAt = instant(state.UpdatedAt)
	label(&e, "environment", loose.Text(environment))
	label(&e, "branch", d.Ref)
	keep(&e, map[string]loose.Text{"head_sha": d.SHA})
	return one(e)
}

func keep(e *sdk.Event, values map[string]loose.Text) {
	for name, value := range values {
		if value != "" {
			e.Metadata[name] = string(value)
		}
	}
}

func instant(s loose.Text) time.Time {
	at, err := time.Parse(time.RFC3339Nano, string(s))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

func on(branch string) string {
	if branch == "" {
		return ""
	}
	return " (" + branch + ")"
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
