package admin

import (
	"net/http"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/health"
	"bellcrank.example/sdk"
)

// Time is a moment in JSON: RFC 3339 in UTC with milliseconds. The zero time
// is left out.
type Time struct{ time.Time }

// MarshalJSON writes the moment.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

// Incident is an incident in lists and details.
type Incident struct {
	ID              string            `json:"id"` // INC-042
	InternalID      string            `json:"internal_id"`
	Integration     string            `json:"integration"`
	Title           string            `json:"title"`
	Description     string            `json:"description,omitempty"`
	Status          core.Status       `json:"status"`
	Severity        sdk.Severity      `json:"severity"`
	SeverityRaw     string            `json:"severity_raw,omitempty"`
	SeverityRule    string            `json:"severity_rule,omitempty"`
	Service         string            `json:"service,omitempty"`
	AssignedBy      string            `json:"assigned_by,omitempty"` // the person who gave it to the service
	Affected        []string          `json:"affected_services,omitempty"`
	CustomerImpact  *bool             `json:"customer_impact,omitempty"`
	SourceURL       string            `json:"source_url,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Metadata        map[string]any    `json:"metadata,omitempty"`
	Links           []sdk.Link        `json:"links,omitempty"`
	Test            bool              `json:"test,omitempty"`
	DedupKey        string            `json:"dedup_key,omitempty"`
	SeriesKey       string            `json:"series_key,omitempty"`
	IdentityRule    string            `json:"identity_rule,omitempty"`
	Count           int               `json:"count"`
	Version         int               `json:"version"`
	FirstAt         Time              `json:"first_at,omitzero"`
	LastAt          Time              `json:"last_at,omitzero"`
	OpenedAt        Time              `json:"opened_at,omitzero"`
	AcknowledgedAt  Time              `json:"acknowledged_at,omitzero"`
	ResolvedAt      Time              `json:"resolved_at,omitzero"`
	Fallback        core.Code         `json:"fallback,omitempty"`
	RequestsWaiting int               `json:"requests_waiting,omitempty"`
	Previous        string            `json:"previous,omitempty"`      // internal id
	SupersededBy    string            `json:"superseded_by,omitempty"` // internal id
	Noise
}

func incidentOf(in *core.Incident) Incident {
	return Incident{
		ID: in.Name(), InternalID: in.ID.String(), Integration: in.Integration, Title: in.Title, Description: in.Description,
		Status: in.Status, Severity: in.Severity, SeverityRaw: in.SeverityRaw, SeverityRule: in.SeverityRule,
		Service: in.Service, AssignedBy: in.Assigned, Affected: in.Affected, CustomerImpact: in.Impact, SourceURL: in.SourceURL,
		Labels: in.Labels, Metadata: in.Metadata, Links: in.Links, Test: in.Test,
		DedupKey: in.DedupKey, SeriesKey: in.SeriesKey, IdentityRule: in.IdentityRule, Count: in.Count, Version: in.Version,
		FirstAt: Time{in.FirstAt}, LastAt: Time{in.LastAt}, OpenedAt: Time{in.OpenedAt},
		AcknowledgedAt: Time{in.AckedAt}, ResolvedAt: Time{in.ResolvedAt},
		Fallback: in.Fallback, RequestsWaiting: in.Waiting, Previous: in.Previous.String(), SupersededBy: in.SupersededBy.String(),
		Noise: noiseOf(in),
	}
}

// IncidentDetail is an incident with everything that happened to it.
type IncidentDetail struct {
	Incident
	Timeline   []TimelineEntry `json:"timeline"` // oldest first
	Versions   []Version       `json:"versions"`
	Deliveries []Delivery      `json:"deliveries"`
}

// TimelineEntry is one event of an incident.
type TimelineEntry struct {
	At         Time         `json:"at"`
	OccurredAt Time         `json:"occurred_at,omitzero"`
	Action     sdk.Action   `json:"action"`
	Effect     core.Effect  `json:"effect"`
	Severity   sdk.Severity `json:"severity,omitempty"`
	Rule       string       `json:"severity_rule,omitempty"`
	Title      string       `json:"title,omitempty"`
	Request    string       `json:"request,omitempty"`
	Author     string       `json:"author,omitempty"` // the person who did it
	Note       string       `json:"note,omitempty"`   // what they said
}

// Version is a change that destinations may hear of.
type Version struct {
	Number int       `json:"number"`
	Kind   core.Kind `json:"kind"`
	At     Time      `json:"at"`
	Author string    `json:"author,omitempty"` // the person who made it
	Note   string    `json:"note,omitempty"`
}

func timelineOf(e core.TimelineEntry) TimelineEntry {
	return TimelineEntry{
		At: Time{e.At}, OccurredAt: Time{e.OccurredAt}, Action: e.Action, Effect: e.Effect, Severity: e.Severity,
		Rule: e.Rule, Title: e.Title, Request: e.Request.String(), Author: e.Author, Note: e.Note,
	}
}

func versionOf(v core.VersionLine) Version {
	return Version{Number: v.Number, Kind: v.Kind, At: Time{v.At}, Author: v.Author, Note: v.Note}
}

func detailOf(d core.IncidentDetail) IncidentDetail {
	return IncidentDetail{
		Incident: incidentOf(d.Incident),
		Timeline: each(d.Timeline, timelineOf), Versions: each(d.Versions, versionOf),
		Deliveries: each(d.Deliveries, deliveryOf),
	}
}

// Delivery is one version of an incident that a destination is owed.
type Delivery struct {
	ID          string             `json:"id"`
	MessageID   string             `json:"message_id"`
	Incident    string             `json:"incident"`    // INC-042
	IncidentID  string             `json:"incident_id"` // internal id
	Version     int                `json:"version"`
	Kind        core.Kind          `json:"kind"`
	Destination string             `json:"destination"`
	State       core.DeliveryState `json:"state"`
	Attempt     int                `json:"attempt"`
	NextAt      Time               `json:"next_at,omitzero"`
	CreatedAt   Time               `json:"created_at,omitzero"`
	FirstAt     Time               `json:"first_attempt_at,omitzero"`
	DoneAt      Time               `json:"done_at,omitzero"`
	Fault       core.FaultClass    `json:"fault,omitempty"`
	FoldedInto  string             `json:"folded_into,omitempty"`
	ResendOf    string             `json:"resend_of,omitempty"`
	LastError   string             `json:"last_error,omitempty"`
}

func deliveryOf(d core.Delivery) Delivery {
	v := Delivery{
		ID: d.ID.String(), MessageID: d.MessageID(), Incident: core.IncidentName(d.Number), IncidentID: d.Incident.String(), Version: d.Version, Kind: d.Kind,
		Destination: d.Destination, State: d.State, Attempt: d.Attempt,
		CreatedAt: Time{d.CreatedAt}, FirstAt: Time{d.FirstAt}, DoneAt: Time{d.DoneAt},
		Fault: d.Fault, FoldedInto: d.FoldedInto.String(), ResendOf: d.ResendOf.String(), LastError: d.LastError,
	}
	if d.State.Unfinished() {
		v.NextAt = Time{d.NextAt}
	}
	return v
}

// Attempt is one try at a delivery.
type Attempt struct {
	Number  int             `json:"number"`
	At      Time            `json:"at"`
	TookMS  int64           `json:"took_ms"`
	Status  int             `json:"status,omitempty"` // HTTP status
	Fault   core.FaultClass `json:"fault,omitempty"`
	Error   string          `json:"error,omitempty"`
	Snippet string          `json:"snippet,omitempty"`
	Address string          `json:"address,omitempty"`
	Sent    *core.Sent      `json:"sent,omitempty"`          // without body and secrets
	Header  http.Header     `json:"answer_header,omitempty"` // without secrets
}

func attemptOf(a core.Attempt) Attempt {
	v := Attempt{
		Number: a.Number, At: Time{a.At}, TookMS: a.Took.Milliseconds(), Status: a.Status,
		Fault: a.Class, Error: a.Error, Snippet: a.Snippet, Header: a.Header,
	}
	if a.Sent.Method != "" {
		v.Sent = &a.Sent
	}
	if a.Address.IsValid() {
		v.Address = a.Address.String()
	}
	return v
}

// Request is an inbox entry. Body and header are only in the detail.
type Request struct {
	ID          string            `json:"id"`
	Integration string            `json:"integration"`
	KeyID       string            `json:"key_id,omitempty"`
	ReceivedAt  Time              `json:"received_at"`
	Source      string            `json:"source,omitempty"`
	Method      string            `json:"method"`
	Path        string            `json:"path,omitempty"`
	Query       string            `json:"query,omitempty"`
	Test        bool              `json:"test,omitempty"`
	State       core.RequestState `json:"state"`
	Code        core.Code         `json:"code,omitempty"`
	Reason      string            `json:"reason,omitempty"`
	Notes       []string          `json:"notes,omitempty"`
	Rejected    []string          `json:"rejected,omitempty"`
	Adapter     string            `json:"adapter,omitempty"`
	Attempt     int               `json:"attempt"`
	NextAt      Time              `json:"next_at,omitzero"`
	Incidents   []string          `json:"incidents,omitempty"` // internal ids
	Total       int               `json:"incidents_total,omitempty"`
	Fallback    string            `json:"fallback_incident,omitempty"` // internal id
	Duplicates  int               `json:"duplicates,omitempty"`
	Header      http.Header       `json:"header,omitempty"`
	Encoding    string            `json:"content_encoding,omitempty"`
	Body        []byte            `json:"body_base64,omitempty"` // as sent
}

func requestOf(r *core.Request) Request {
	v := Request{
		ID: r.ID.String(), Integration: r.Integration, KeyID: r.KeyID, ReceivedAt: Time{r.ReceivedAt},
		Method: r.Method, Path: r.Path, Query: r.Query, Test: r.Test, State: r.State, Code: r.Code, Reason: r.Reason,
		Notes: r.Notes, Rejected: r.Rejected, Adapter: r.Adapter, Attempt: r.Attempt,
		Incidents: each(r.Incidents, core.ID.String), Total: r.Total, Fallback: r.Fallback.String(), Duplicates: r.Duplicates,
		Header: r.Header, Encoding: r.Encoding, Body: r.Body,
	}
	if r.Source.IsValid() {
		v.Source = r.Source.String()
	}
	if r.State == core.RequestOpen {
		v.NextAt = Time{r.NextAt}
	}
	return v
}

// Integration is a monitoring tool that may send to us.
type Integration struct {
	ID           string   `json:"id"` // TYPE/NAME
	Type         string   `json:"type"`
	Name         string   `json:"name"`
	Description  string   `json:"description,omitempty"`
	Plugin       string   `json:"plugin"`
	Adapter      string   `json:"adapter,omitempty"` // version of the pinned adapter
	State        string   `json:"state"`             // active, paused or disabled
	Methods      []string `json:"methods"`
	URL          string   `json:"url"` // with {routingKey} where the key goes
	Keys         []Key    `json:"keys"`
	AllowedCIDRs []string `json:"allowed_cidrs,omitempty"`
	Verification string   `json:"verification"` // signature, none or not declared
	BodyLimit    int64    `json:"body_limit"`   // bytes
	DocsURL      string   `json:"docs_url,omitempty"`
}

// Key is a routing key, without its value.
type Key struct {
	ID      string `json:"id"`
	Expires Time   `json:"expires_at,omitzero"`
	Expired bool   `json:"expired,omitempty"`
}

// Destination is where incident changes go, and how it is.
type Destination struct {
	ID          string              `json:"id"` // TYPE/NAME
	Type        string              `json:"type"`
	Name        string              `json:"name"`
	Active      bool                `json:"active"`
	Disabled    core.DisabledReason `json:"disabled,omitempty"`
	Since       Time                `json:"since,omitzero"`
	PausedUntil Time                `json:"paused_until,omitzero"`
	LastSuccess Time                `json:"last_success_at,omitzero"`
	LastFailure Time                `json:"last_failure_at,omitzero"`
	LastError   string              `json:"last_error,omitempty"`
	Failures    int                 `json:"failures"` // since the last success
	ProbeAt     Time                `json:"next_probe_at,omitzero"`
	Parked      int                 `json:"parked,omitempty"` // deliveries that wait for it to be active
	Retry       string              `json:"retry,omitempty"`
	Tests       bool                `json:"tests,omitempty"`
	Notify      bool                `json:"notify,omitempty"`
}

// Plugin is an adapter process.
type Plugin struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	Version   string `json:"version"`
	State     string `json:"state"` // such as ready
	Since     Time   `json:"since,omitzero"`
	PID       int    `json:"pid,omitempty"`
	Standby   int    `json:"standby_pid,omitempty"` // of the process that takes over when that one ends
	Restarts  int    `json:"restarts"`
	InFlight  int    `json:"in_flight"`
	Waiting   int    `json:"waiting"` // calls for a place
	SHA256    string `json:"sha256,omitempty"`
	Sandbox   string `json:"sandbox,omitempty"` // level in force
	LastError string `json:"last_error,omitempty"`
	Memory    int64  `json:"memory_bytes,omitempty"`
	// MemoryLimit is past which the process is replaced, and MemoryBy what holds
	// it to that: cgroup, watch or nothing.
	MemoryLimit int64  `json:"memory_limit_bytes,omitempty"`
	MemoryBy    string `json:"memory_by,omitempty"`
	// RestartsBy counts by reason: ended, hung, memory, processor, replaced.
	RestartsBy map[string]int `json:"restarts_by,omitempty"`
	Crash      *PluginCrash   `json:"last_crash,omitempty"`
	// OutputDropped is what the log had no room for, of the current process.
	OutputDropped int64 `json:"output_dropped_bytes"`
	// Calls counts by outcome: answered, a failure's code, or a fault.
	Calls map[string]uint64 `json:"calls,omitempty"`

	Durations Durations     `json:"-"` // for the metrics
	Away      time.Duration `json:"-"` // for which none served, since the first one did
}

// PluginCrash is an end of a plugin's process that nobody asked for.
type PluginCrash struct {
	At     Time     `json:"at"`
	Exit   string   `json:"exit"`   // such as "signal: killed"
	Output []string `json:"output"` // the last lines that it wrote
}

// Durations is a histogram, in seconds.
type Durations struct {
	Count  uint64
	Sum    float64
	Within map[float64]uint64
}

// Health is how an integration or destination did over the last hours.
type Health struct {
	ID       string    `json:"id"`
	LastAt   Time      `json:"last_delivery_at,omitzero"`
	LastOKAt Time      `json:"last_success_at,omitzero"`
	Windows  []Window  `json:"windows"` // the shortest first
	Errors   []Trouble `json:"errors"`  // newest first
	Shape    *Shape    `json:"shape,omitempty"`
}

// Window is how it went over some time until now.
type Window struct {
	Hours       int      `json:"hours"`
	Since       Time     `json:"since"`        // a whole minute
	SuccessRate *float64 `json:"success_rate"` // 0 to 1; null if there was nothing
	OK          int      `json:"ok"`
	Failed      int      `json:"failed"`
}

// Trouble is one thing that went wrong.
type Trouble struct {
	At      Time   `json:"at"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Subject string `json:"subject,omitempty"` // receipt or delivery id
}

func healthOf(id string, r health.Report) Health {
	h := Health{
		ID: id, Windows: each(r.Over, windowOf),
		Errors: each(r.Recent, func(t core.Trouble) Trouble {
			return Trouble{At: Time{t.At}, Code: t.Code, Message: t.Message, Subject: t.Subject}
		}),
	}
	for _, s := range r.Over { // each knows of the same last ones
		h.LastAt, h.LastOKAt = Time{s.Last}, Time{s.LastOK}
	}
	return h
}

func windowOf(s health.Span) Window {
	w := Window{Hours: int(s.Window.Hours()), Since: Time{s.Since}, OK: s.OK, Failed: s.Failed}
	if rate, any := s.SuccessRate(); any {
		w.SuccessRate = &rate
	}
	return w
}

// Status is the gateway in one answer.
type Status struct {
	Version      string  `json:"version,omitempty"`
	StartedAt    Time    `json:"started_at"`
	Now          Time    `json:"now"`
	Ready        bool    `json:"ready"`
	Problem      string  `json:"problem,omitempty"` // why it isn't ready
	Integrations int     `json:"integrations"`
	Destinations int     `json:"destinations"`
	Disabled     int     `json:"destinations_disabled"`
	Plugins      int     `json:"plugins"`
	PluginsReady int     `json:"plugins_ready"`
	ClockSuspect bool    `json:"clock_suspect,omitempty"` // it was set: nothing resolves, is deleted or is missed by its word
	Backlog      Backlog `json:"backlog"`
}

// Backlog is what is still owed.
type Backlog struct {
	Requests       int  `json:"requests"`
	OldestRequest  Time `json:"oldest_request_at,omitzero"`
	Deliveries     int  `json:"deliveries"`
	Parked         int  `json:"deliveries_parked"`
	OldestDelivery Time `json:"oldest_delivery_at,omitzero"`
}

// Receipt is what became of a test.
type Receipt struct {
	ID        string            `json:"id"`
	State     core.RequestState `json:"state"`
	Code      core.Code         `json:"code,omitempty"`
	Reason    string            `json:"reason,omitempty"`
	Incidents []string          `json:"incidents"` // INC-042
}

// each maps a list; the result is never nil, so that it is [] in JSON.
func each[From, To any](list []From, f func(From) To) []To {
	mapped := make([]To, len(list))
	for i, v := range list {
		mapped[i] = f(v)
	}
	return mapped
}
