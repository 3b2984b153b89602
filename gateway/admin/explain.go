package admin

import (
	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
)

// Explanation is the whole chain that made an incident what it is: what came
// in and how it was checked, what it was read as, which rules decided, and who
// was told. All of it is as it was decided then.
type Explanation struct {
	Incident Incident           `json:"incident"`
	Requests []ExplainedRequest `json:"requests"` // the first one and the newest 20, oldest first
	People   []TimelineEntry    `json:"people"`   // what people did
	Others   []TimelineEntry    `json:"others"`   // what time or rules did, and events whose request isn't listed; the newest 200
	Versions []ExplainedVersion `json:"versions"`
}

// ExplainedRequest is a request with what its events did to the incident.
type ExplainedRequest struct {
	ID         string            `json:"id"`
	ReceivedAt Time              `json:"received_at"`
	Source     string            `json:"source,omitempty"`
	KeyID      string            `json:"key_id,omitempty"`
	LetIn      string            `json:"let_in,omitempty"`   // which rule let its address in
	Verified   string            `json:"verified,omitempty"` // how its signature was verified, or why it wasn't
	State      core.RequestState `json:"state"`
	Reason     string            `json:"reason,omitempty"`
	Duplicates int               `json:"duplicates,omitempty"`
	Adapter    string            `json:"adapter,omitempty"`
	AdapterSHA string            `json:"adapter_sha256,omitempty"`
	Attempt    int               `json:"attempt,omitempty"` // calls of the adapter that failed
	Notes      []string          `json:"notes,omitempty"`
	Rejected   []string          `json:"rejected,omitempty"`
	Events     []TimelineEntry   `json:"events"`
}

// ExplainedVersion is a version with what decided who hears of it, and what
// they got.
type ExplainedVersion struct {
	Version
	Generation int64               `json:"route_generation"` // of the configuration that decided
	Routes     []RouteDecision     `json:"routes,omitempty"`
	Omitted    int                 `json:"routes_omitted,omitempty"` // that didn't match
	Held       string              `json:"held_by,omitempty"`
	Released   Time                `json:"released_at,omitzero"`
	Owed       []string            `json:"owed,omitempty"`
	Unwanted   []string            `json:"unwanted,omitempty"` // hear of the incident, and don't take this kind
	Deliveries []ExplainedDelivery `json:"deliveries"`
}

// RouteDecision is what one route said.
type RouteDecision struct {
	Route   string   `json:"route,omitempty"` // empty: a rule that stands behind the routes
	Matched bool     `json:"matched"`
	Reason  string   `json:"reason,omitempty"` // why not, or which rule it was
	To      []string `json:"to,omitempty"`
}

// ExplainedDelivery is a delivery with the attempts at it.
type ExplainedDelivery struct {
	Delivery
	Attempts []Attempt `json:"attempts"`
}

func (a *api) explain(c *fiber.Ctx) error {
	number, err := core.ParseIncidentName(c.Params("incident"))
	if err != nil {
		return notFound("There is no such incident")
	}
	x, err := a.cfg.Store.Explain(c.UserContext(), number)
	if err != nil {
		return err
	}
	return ok(c, explanationOf(x))
}

func explanationOf(x core.Explanation) Explanation {
	timeline := x.Timeline
	if x.First != nil {
		timeline = append([]core.TimelineEntry{*x.First}, timeline...)
	}
	v := Explanation{Incident: incidentOf(x.Incident), People: []TimelineEntry{}, Others: []TimelineEntry{}}
	at := map[core.ID]int{}
	v.Requests = each(x.Requests, explainedRequest)
	for i, r := range x.Requests {
		at[r.ID] = i
	}
	for _, e := range timeline {
		i, listed := at[e.Request]
		switch {
		case e.Request != 0 && listed:
			v.Requests[i].Events = append(v.Requests[i].Events, timelineOf(e))
		case e.Author != "":
			v.People = append(v.People, timelineOf(e))
		default:
			v.Others = append(v.Others, timelineOf(e))
		}
	}
	v.Versions = each(x.Versions, func(line core.VersionLine) ExplainedVersion { return explainedVersion(x, line) })
	return v
}

func explainedRequest(r *core.Request) ExplainedRequest {
	v := ExplainedRequest{
		ID: r.ID.String(), ReceivedAt: Time{r.ReceivedAt}, KeyID: r.KeyID, LetIn: r.LetIn, Verified: r.Verified,
		State: r.State, Reason: r.Reason, Duplicates: r.Duplicates, Adapter: r.Adapter, AdapterSHA: r.AdapterHash,
		Attempt: r.Attempt, Notes: r.Notes, Rejected: r.Rejected, Events: []TimelineEntry{},
	}
	if r.Source.IsValid() {
		v.Source = r.Source.String()
	}
	return v
}

func explainedVersion(x core.Explanation, line core.VersionLine) ExplainedVersion {
	v := ExplainedVersion{
		Version: versionOf(line), Generation: line.Generation, Omitted: line.Why.Omitted,
		Held: line.Why.Held, Released: Time{line.Why.Released}, Owed: line.Why.Owed, Unwanted: line.Why.Unwanted,
		Routes:     each(line.Why.Decisions, func(d core.Decision) RouteDecision { return RouteDecision(d) }),
		Deliveries: []ExplainedDelivery{},
	}
	for _, d := range x.Deliveries {
		if d.Version == line.Number {
			v.Deliveries = append(v.Deliveries, ExplainedDelivery{deliveryOf(d), each(x.Attempts[d.ID], attemptOf)})
		}
	}
	return v
}
