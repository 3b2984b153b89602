package core

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path"
	"strings"
	"time"

	"bellcrank.example/sdk"
)

// DefaultReopenWindow is how long after its end a problem that returns reopens
// its old incident.
const DefaultReopenWindow = 5 * time.Minute

// MaxReopenWindow is how long after its last event a problem that is over is
// remembered, and so the longest reopen window that makes sense.
const MaxReopenWindow = 48 * time.Hour

// Integration is a monitoring tool that is allowed to send to us. It is
// immutable: a reload makes a new one.
type Integration struct {
	Tenant      int64
	Type        string // the adapter's type, such as "datadog"
	Name        string
	Description string
	Plugin      string // name of the plugin that adapts its requests
	AdapterHash string // SHA-256 in hex of that plugin's file, as pinned

	Disabled bool // refuses requests
	Paused   bool // stores requests and adapts them when resumed

	Keys           []RoutingKey
	AllowedCIDRs   []netip.Prefix // empty: every address
	VerifyNone     bool           // `verify = "none"` is written
	SigningSecrets []Secret

	Settings json.RawMessage // validated JSON object for the adapter
	Info     sdk.Info        // what the adapter declares; known while it is down
	Limits   sdk.Limits      // effective: none is zero

	// StrictTemplates refuses events with placeholders that the sender has not
	// filled in.
	StrictTemplates bool

	Severity     SeverityPolicy
	Identity     IdentityPolicy
	Service      ServicePolicy
	Services     *Catalogue        // the operator's, the same for all
	Labels       map[string]string // added to every event
	ReopenWindow time.Duration     // DefaultReopenWindow if the configuration says nothing
	Flap         FlapPolicy
	AutoResolve  AutoResolve
	Group        func(*Event) GroupKey // the group of an event, zero for none; nil: none ever
}

// SelfIntegration is under which the gateway tells of its own trouble.
const SelfIntegration = "bellcrank/gateway"

// ID returns "TYPE/NAME".
func (i *Integration) ID() string { return i.Type + "/" + i.Name }

// RoutingKey is a secret that names an integration. One of Value and SHA256
// is set.
type RoutingKey struct {
	ID      string    // shown in logs and lists
	Value   Secret    // the whole key
	SHA256  [32]byte  // plain SHA-256 of the whole key, if Value is empty
	Expires time.Time // zero: never
}

// SeverityPolicy is the operator's say about severities. Its map and its
// expression go above the adapter's answer, its default below.
type SeverityPolicy struct {
	Map        map[string]sdk.Severity // the vendor's word, in lower case; "*" for all
	Expression *EventExpression        // a level, or a word that sdk.SeverityOf knows; nil: none
	Default    sdk.Severity            // sdk.Medium if empty
}

// Decide returns a trigger's severity and the rule that gave it.
func (p SeverityPolicy) Decide(e *sdk.Event) (sdk.Severity, string) {
	if s, ok := p.Map[strings.ToLower(strings.TrimSpace(e.SeverityRaw))]; ok {
		return s, "map: " + e.SeverityRaw
	}
	if s, ok := p.Map["*"]; ok {
		return s, "map: *"
	}
	s, why := p.byExpression(e)
	switch {
	case s != "":
		return s, why
	case e.Severity != "":
		return e.Severity, because("adapter", why)
	case p.Default != "":
		return p.Default, because("integration default", why)
	}
	return sdk.Medium, because("default", why)
}

// byExpression returns a severity and its rule, or none and why it failed. An
// expression that gives nothing leaves the decision to others.
func (p SeverityPolicy) byExpression(e *sdk.Event) (sdk.Severity, string) {
	if p.Expression == nil {
		return "", ""
	}
	rule := fmt.Sprintf("expression (%s)", p.Expression.Place)
	word, err := p.Expression.Eval(e)
	if err != nil {
		return "", fmt.Sprintf("the severity %s failed: %v", rule, err)
	}
	s := sdk.SeverityOf(word)
	if s == "" && strings.TrimSpace(word) != "" {
		return "", fmt.Sprintf("the severity %s gives %.60q, which is no severity", rule, word)
	}
	if s == "" {
		return "", ""
	}
	return s, rule
}

// ServicePolicy is the operator's say about service names.
type ServicePolicy struct {
	Map     map[string]string // pattern as of path.Match, in lower case -> service
	Default string            // for events without one
}

// Decide returns the service of an event that names one.
func (p ServicePolicy) Decide(service string) string {
	if service == "" {
		return p.Default
	}
	lower := strings.ToLower(service)
	if to, ok := p.Map[lower]; ok {
		return to
	}
	best := ""
	for pattern := range p.Map {
		// The longest pattern wins, so that the answer doesn't depend on the
		// order of a map.
		if ok, _ := path.Match(pattern, lower); ok && (len(pattern) > len(best) || len(pattern) == len(best) && pattern < best) {
			best = pattern
		}
	}
	if best != "" {
		return p.Map[best]
	}
	return service
}

// Secret is text that must not be shown. Reveal is the only way to read it.
type Secret struct{ value string }

// NewSecret wraps a secret; line ends at its end, which files have, are not
// part of it.
func NewSecret(s string) Secret { return Secret{strings.TrimRight(s, "\r\n")} }

// Reveal returns the secret.
func (s Secret) Reveal() string { return s.value }

// Empty reports whether there is no secret.
func (s Secret) Empty() bool { return s.value == "" }

const redacted = "[redacted]"

// String hides the secret.
func (s Secret) String() string { return redacted }

// GoString hides the secret.
func (s Secret) GoString() string { return redacted }

// MarshalText hides the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
