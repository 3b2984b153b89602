package config

import (
	"net/http"
	"time"

	"github.com/zclconf/go-cty/cty"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// heartbeatLimit is how much of a body a named heartbeat takes, in bytes.
const heartbeatLimit = 64 << 10

// minEvery is the shortest interval that can be kept an eye on.
const minEvery = 10 * time.Second

// heartbeat reads a named heartbeat: an integration without an adapter.
func (l *loader) heartbeat(b *block) {
	in := &core.Integration{Tenant: core.DefaultTenant, Type: core.HeartbeatType, Name: b.labels[0], VerifyNone: true}
	in.Info = sdk.Info{Type: in.Type, Methods: []string{http.MethodGet, http.MethodHead, http.MethodPost}}
	in.Limits = defaultLimits()
	in.Limits.Body = heartbeatLimit
	b.text("description", &in.Description)
	b.boolean("disabled", &in.Disabled)
	b.cidrs("allowed_cidrs", &in.AllowedCIDRs)
	b.each("routing_key", func(b *block) { l.routingKey(b, in) })
	if len(in.Keys) == 0 && !b.holds("routing_key") {
		l.errorf(&b.at, "No routing key", "Nobody can send to it. Make a key with `bellcrank key new` and add a routing_key block.")
	}
	l.cfg.Integrations = append(l.cfg.Integrations, in)
	b.expected(in)
}

// expected reads what is expected of an integration, and how often.
func (b *block) expected(in *core.Integration) {
	h := core.Heartbeat{Integration: in.ID(), Severity: sdk.High, Grace: time.Minute}
	if b.positive("every", &h.Every) && h.Every < minEvery {
		b.l.errorf(b.where("every"), "Invalid every", "Want 10s or more.")
	}
	if !b.has("every") {
		b.l.errorf(&b.at, "No interval", "Say how often something is sent: every = \"1h\".")
	}
	b.duration("grace", &h.Grace)
	read(b, "severity", cty.String, &h.Severity, func(v cty.Value) (sdk.Severity, error) { return severity(v.AsString()) })
	b.text("service", &h.Service)
	b.stringMap("labels", &h.Labels)
	if !in.Disabled {
		b.l.cfg.Heartbeats = append(b.l.cfg.Heartbeats, h)
	}
}
