package main

import (
	"bellcrank.example/plugins/internal/loose"
	"bellcrank.example/sdk"
)

// alert is what Dependabot, code scanning and secret scanning tell of. Each
// uses some of the members; a secret itself is in none of them.
type alert struct {
	Number     loose.Text `json:"number"`
	ID         loose.Text `json:"id"` // repository_vulnerability_alert has no number in old versions
	State      loose.Text `json:"state"`
	HTMLURL    loose.Text `json:"html_url"`
	CreatedAt  loose.Text `json:"created_at"`
	UpdatedAt  loose.Text `json:"updated_at"`
	DismissedR loose.Text `json:"dismissed_reason"`

	Dependency    loose.Value[dependency]    `json:"dependency"`
	Advisory      loose.Value[advisory]      `json:"security_advisory"`
	Vulnerability loose.Value[vulnerability] `json:"security_vulnerability"`
	Severity      loose.Text                 `json:"severity"`              // repository_vulnerability_alert
	PackageName   loose.Text                 `json:"affected_package_name"` // repository_vulnerability_alert
	ExternalID    loose.Text                 `json:"external_identifier"`   // repository_vulnerability_alert

	Rule     loose.Value[rule]     `json:"rule"`
	Tool     loose.Value[tool]     `json:"tool"`
	Instance loose.Value[instance] `json:"most_recent_instance"`

	SecretType     loose.Text `json:"secret_type"`
	SecretTypeName loose.Text `json:"secret_type_display_name"`
	Validity       loose.Text `json:"validity"`
	PubliclyLeaked loose.Text `json:"publicly_leaked"`
	Resolution     loose.Text `json:"resolution"`
}

type dependency struct {
	Package  loose.Value[pkg] `json:"package"`
	Manifest loose.Text       `json:"manifest_path"`
	Scope    loose.Text       `json:"scope"`
}

type pkg struct {
	Ecosystem loose.Text `json:"ecosystem"`
	Name      loose.Text `json:"name"`
}

type advisory struct {
	GHSA        loose.Text `json:"ghsa_id"`
	CVE         loose.Text `json:"cve_id"`
	Summary     loose.Text `json:"summary"`
	Description loose.Text `json:"description"`
	Severity    loose.Text `json:"severity"`
}

type vulnerability struct {
	Package  loose.Value[pkg] `json:"package"`
	Severity loose.Text       `json:"severity"`
	Range    loose.Text       `json:"vulnerable_version_range"`
}

type rule struct {
	ID            loose.Text `json:"id"`
	Name          loose.Text `json:"name"`
	Description   loose.Text `json:"description"`
	Severity      loose.Text `json:"severity"`                // none, note, warning, error
	SecurityLevel loose.Text `json:"security_severity_level"` // low, medium, high, critical
}

type tool struct {
	Name loose.Text `json:"name"`
}

type instance struct {
	Ref      loose.Text `json:"ref"`
	Location loose.Value[struct {
		Path      loose.Text `json:"path"`
		StartLine loose.Text `json:"start_line"`
	}] `json:"location"`
}

// actions are what the kinds of alert say has happened.
var actions = map[loose.Text]sdk.Action{
	"created": sdk.Trigger, "create": sdk.Trigger, "reopened": sdk.Trigger, "reopen": sdk.Trigger,
	"reintroduced": sdk.Trigger, "auto_reopened": sdk.Trigger, "reopened_by_user": sdk.Trigger,
	"appeared_in_branch": sdk.Trigger, "publicly_leaked": sdk.Trigger,

	"fixed": sdk.Resolve, "resolved": sdk.Resolve, "resolve": sdk.Resolve, "dismissed": sdk.Resolve,
	"dismiss": sdk.Resolve, "auto_dismissed": sdk.Resolve, "closed_by_user": sdk.Resolve, "revoked": sdk.Resolve,
}

// states are what an alert itself says, for actions that aren't known.
var states = map[loose.Text]sdk.Action{
	"open": sdk.Trigger, "fixed": sdk.Resolve, "dismissed": sdk.Resolve, "auto_dismissed": sdk.Resolve,
	"resolved": sdk.Resolve, "closed": sdk.Resolve,
}

// dependabot reads dependabot_alert, and the event that it replaced.
func (h *hook) dependabot(settings) (sdk.Result, error) {
	a := &h.Alert.V
	name := loose.First(a.Dependency.V.Package.V.Name, a.Vulnerability.V.Package.V.Name, a.PackageName, "a dependency")
	what := loose.First(a.Advisory.V.Summary, a.Advisory.V.CVE, a.Advisory.V.GHSA, a.ExternalID, "a vulnerability")
	return h.alerted("dependabot", name+": "+what, func(e *sdk.Event) {
		e.Description = loose.First(a.Advisory.V.Description)
		e.SeverityRaw = loose.First(a.Vulnerability.V.Severity, a.Advisory.V.Severity, a.Severity)
		e.Severity = sdk.SeverityOf(e.SeverityRaw)
		label(e, "package", loose.Text(name))
		label(e, "ecosystem", a.Dependency.V.Package.V.Ecosystem)
		label(e, "cve", a.Advisory.V.CVE)
		keep(e, map[string]loose.Text{
			"ghsa": a.Advisory.V.GHSA, "manifest": a.Dependency.V.Manifest, "scope": a.Dependency.V.Scope,
			"vulnerable_versions": a.Vulnerability.V.Range,
		})
	})
}

// codeScanning reads code_scanning_alert. The severity of a security rule goes
// above its severity as a rule.
func (h *hook) codeScanning(settings) (sdk.Result, error) {
	a := &h.Alert.V
	title := loose.First(a.Tool.V.Name, "Code scanning") + ": " + loose.First(a.Rule.V.Description, a.Rule.V.Name, a.Rule.V.ID, "an alert")
	return h.alerted("code-scanning", title, func(e *sdk.Event) {
		e.SeverityRaw = loose.First(a.Rule.V.SecurityLevel, a.Rule.V.Severity)
		if e.Severity = sdk.SeverityOf(e.SeverityRaw); e.SeverityRaw == "note" {
			e.Severity = sdk.Low
		}
		label(e, "rule", a.Rule.V.ID)
		label(e, "tool", a.Tool.V.Name)
		keep(e, map[string]loose.Text{
			"ref": a.Instance.V.Ref, "path": a.Instance.V.Location.V.Path, "line": a.Instance.V.Location.V.StartLine,
		})
	})
}

// secretScanning reads secret_scanning_alert. GitHub gives no severity: a
// secret that works, or that everybody can read, is worse than one that is
// only written down.
func (h *hook) secretScanning(settings) (sdk.Result, error) {
	a := &h.Alert.V
	title := "Secret in the code: " + loose.First(a.SecretTypeName, a.SecretType, "of unknown type")
	return h.alerted("secret-scanning", title, func(e *sdk.Event) {
		e.SeverityRaw, e.Severity = "secret", sdk.High
		if a.Validity == "active" || a.PubliclyLeaked == "true" || h.Action == "publicly_leaked" {
			e.SeverityRaw, e.Severity = "active secret", sdk.Critical
		}
		label(e, "secret_type", a.SecretType)
		keep(e, map[string]loose.Text{"validity": a.Validity, "resolution": a.Resolution})
	})
}

// alerted makes an event of an alert; a number names it within its kind and
// repository.
func (h *hook) alerted(kind, title string, fill func(*sdk.Event)) (sdk.Result, error) {
	a := &h.Alert.V
	number := loose.First(a.Number, a.ID)
	action, known := actions[h.Action]
	if !known {
		action, known = states[a.State]
		known = known && h.Action == ""
	}
	switch {
	case h.repo() == "":
		return missing("repository.id")
	case number == "":
		return missing("alert.number")
	case !known:
		return sdk.Result{Ignored: "alert " + number + ": " + or(loose.First(h.Action), "no action") + " changes neither its beginning nor its end"}, nil
	}
	e := h.event(action, title)
	e.DedupKey, e.IdentityRule = h.repo()+"/"+kind+":"+number, "repository and alert"
	e.SourceURL = loose.First(loose.Text(sdk.AbsoluteURL(string(a.HTMLURL))), loose.Text(sdk.AbsoluteURL(string(h.Repository.V.HTMLURL))))
	e.OccurredAt = instant(a.CreatedAt)
	if at := instant(a.UpdatedAt); !at.IsZero() {
		e.OccurredAt = at
	}
	label(&e, "alert", loose.Text(kind))
	keep(&e, map[string]loose.Text{"number": loose.Text(number), "action": h.Action, "state": a.State, "dismissed_reason": a.DismissedR})
	fill(&e)
	return one(e)
}
