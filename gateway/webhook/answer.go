package webhook

import (
	"log/slog"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/gateway/server"
	"bellcrank.example/sdk"
)

// success is the envelope of an accepted request.
type success struct {
	Success        bool       `json:"success"`
	Status         string     `json:"status,omitempty"` // of the request, where it isn't simply done
	Reason         string     `json:"reason,omitempty"`
	Incident       *incident  `json:"incident,omitempty"`
	Incidents      []incident `json:"incidents,omitempty"` // if more than one
	IncidentsTotal int        `json:"incidents_total,omitempty"`
	Receipt        *receipt   `json:"receipt,omitempty"`
	Warnings       []string   `json:"warnings,omitempty"`
	Duplicate      bool       `json:"duplicate,omitempty"`
}

type incident struct {
	ID       string       `json:"id"`
	Title    string       `json:"title"`
	Severity sdk.Severity `json:"severity"`
	Status   core.Status  `json:"status"`
	URL      string       `json:"url"`
}

type receipt struct {
	ID string `json:"id"`
}

// maxIncidents bounds the incidents that one answer lists.
const maxIncidents = 100

// statusWords are what a sender is told of a request that made no incident
// yet, or never will.
var statusWords = map[core.RequestState]string{
	core.RequestOpen:        "queued",
	core.RequestHeld:        "held",
	core.RequestQuarantined: "quarantined",
	core.RequestIgnored:     "ignored",
}

// answer tells the sender what became of a request that is stored, in the
// words that its vendor's clients expect if they expect any.
func (v *visit) answer(r core.Receipt) error {
	c, d := v.c, v.door
	server.Annotate(c, slog.String("receipt", r.Request.String()), slog.String("state", string(r.State)))
	if r.State == core.RequestRejected {
		return &core.Error{Code: r.Code, Message: r.Reason, Field: r.Field}
	}
	if r.Reply != nil {
		return send(c, &sdk.Reply{Status: r.Reply.Status, ContentType: r.Reply.ContentType, Body: r.Reply.Body}, nil)
	}
	accepted := v.in.Info.Accepted
	if v.entrance != nil && v.entrance.Accepted != nil {
		accepted = v.entrance.Accepted
	}
	if accepted != nil {
		return send(c, accepted, placeholders{
			path: v.names(v.path), body: v.decoded, receipt: r.Request.String(), took: d.cfg.Now().Sub(v.start),
		}.value)
	}
	status := fiber.StatusOK
	switch r.State {
	case core.RequestOpen, core.RequestHeld, core.RequestQuarantined:
		status = fiber.StatusAccepted
	}
	return server.JSON(c, status, d.envelope(r))
}

func (d *door) envelope(r core.Receipt) success {
	s := success{
		Success: true, Status: statusWords[r.State],
		Receipt: &receipt{r.Request.String()}, Warnings: r.Warnings, Duplicate: r.Duplicate,
	}
	if r.State == core.RequestIgnored {
		s.Reason = r.Reason
	}
	if r.State == core.RequestQuarantined {
		return s // its incident is the operator's, not the sender's
	}
	for _, in := range r.Incidents[:min(len(r.Incidents), maxIncidents)] {
		s.Incidents = append(s.Incidents, d.incident(in))
	}
	if len(s.Incidents) > 0 {
		s.Incident = &s.Incidents[0]
	}
	if r.Total > 1 {
		s.IncidentsTotal = r.Total
	} else {
		s.Incidents = nil
	}
	return s
}

func (d *door) incident(in core.IncidentSummary) incident {
	return incident{
		ID: core.IncidentName(in.Number), Title: in.Title, Severity: in.Severity, Status: in.Status,
		URL: core.IncidentURL(d.cfg.PublicURL, in.Number),
	}
}

// send answers in a vendor's words. Only a success may be spoken in them: a
// redirect or a 410 would end what the vendor sends for good. The body is a
// template if there are values for it.
func send(c *fiber.Ctx, r *sdk.Reply, value func(name string) string) error {
	status, contentType, body := r.Status, r.ContentType, r.Body
	if status < 200 || status > 299 {
		status = fiber.StatusOK
	}
	if contentType == "" {
		contentType = fiber.MIMETextPlainCharsetUTF8
	}
	if value != nil {
		body = fill(body, value)
	}
	c.Set(fiber.HeaderContentType, contentType)
	return c.Status(status).Send(body)
}
