package config

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// shape is what may stand in a block.
type shape struct {
	arguments []string
	blocks    map[string][]string // kind -> what its labels are
	later     map[string][]string // blocks that are planned: refused, but not as unknown
}

// root is the name of the shape of a whole configuration.
const root = ""

// The shapes of blocks that stand in several places.
var (
	matchShape   = shape{arguments: []string{"integration", "severity", "service", "labels", "title"}}
	keyShape     = shape{arguments: []string{"value", "sha256", "expires"}}
	resolveShape = shape{arguments: []string{"after", "severity"}}
)

// shapes is the whole language, by the path of the block.
var shapes = map[string]shape{
	root: {
		arguments: []string{"name", "environment", "data_dir", "plugin_directory", "plugin_cgroup", "public_url"},
		blocks: map[string][]string{
			"locals":      nil,
			"listener":    {"name"},
			"storage":     {"type"},
			"admin":       nil,
			"telemetry":   nil,
			"retention":   nil,
			"plugin":      {"name"},
			"integration": {"type", "name"},
			"destination": {"type", "name"},
			"retry":       {"name"},
			"route":       {"name"},
			"service":     {"name"}, "group": {"name"}, "auto_resolve": nil,
			"silence": {"name"}, "window": {"name"}, "heartbeat": {"name"}, "test": {"name"},
		},
	},
	"listener": {
		arguments: []string{
			"address", "trusted_proxies", "read_timeout", "write_timeout", "idle_timeout",
			"max_header", "max_connections", "max_connections_per_ip", "max_bodies",
		},
		later: map[string][]string{"tls": nil, "rate_limit": nil},
	},
	"storage": {arguments: []string{"path"}},
	"admin":   {arguments: []string{"token"}, later: map[string][]string{"oidc": nil}},
	"telemetry": {
		arguments: []string{"log_level", "log_format", "access_log"},
		later:     map[string][]string{"prometheus": nil, "otlp": nil, "sentry": nil},
	},
	"retention": {arguments: []string{"raw_payloads", "incidents", "deliveries", "dead_letters"}},
	"plugin": {
		arguments: []string{"type", "version", "sha256", "args", "env", "sandbox", "read_paths", "shadow", "standby"},
		blocks:    map[string][]string{"limits": nil},
	},
	"plugin.limits": {arguments: []string{"memory", "timeout", "in_flight", "processor", "nice"}},
	"integration": {
		arguments: []string{
			"description", "plugin", "disabled", "paused", "allowed_cidrs", "verify", "signing_secrets",
			"labels", "reopen_window", "event_time", "strict_templates",
		},
		blocks: map[string][]string{
			"routing_key": {"id"}, "signature": {"kind"}, "settings": nil, "severity": nil, "identity": nil, "service": nil,
			"limits": nil, "heartbeat": nil, "flapping": nil, "auto_resolve": nil,
		},
		later: map[string][]string{"auth": nil, "rate_limit": nil},
	},
	"integration.signature": {arguments: []string{
		"header", "algorithm", "prefix", "encoding", "signed", "timestamp_header", "id_header", "tolerance",
	}},
	"integration.routing_key": keyShape,
	"integration.severity":    {arguments: []string{"map", "expression", "default"}},
	"integration.identity":    {arguments: []string{"fields", "expression"}},
	"integration.service":     {arguments: []string{"map", "default"}},
	"integration.limits":      {arguments: []string{"body", "depth", "members", "strings", "events"}},
	"destination": {
		arguments: []string{
			"retry", "tests", "events", "send_resolved", "fold", "notify", "allowed_cidrs", "timeout",
			"concurrency", "when",
		},
		blocks: map[string][]string{"settings": nil, "rate_limit": nil, "match": nil},
	},
	"destination.rate_limit": {arguments: []string{"rate"}},
	"destination.match":      {arguments: []string{"integration", "severity", "service", "labels", "title"}},
	"retry":                  {arguments: []string{"schedule", "jitter", "on_exhausted", "max_age", "notify"}},
	"route": {
		arguments: []string{"when", "to", "fallback", "continue"},
		blocks:    map[string][]string{"match": nil},
		later:     map[string][]string{"mute": nil},
	},
	"route.match": matchShape,
	"service":     {arguments: []string{"aliases", "owner", "labels"}},
	"test": {
		arguments: []string{"integration", "payload", "method", "path", "query", "headers", "at", "ignored"},
		blocks:    map[string][]string{"expect": nil},
	},
	"test.expect": {arguments: append(ExpectedFields(), "labels", "routes", "destinations")},
	"group": {
		arguments: []string{"when", "by", "window", "wait"}, blocks: map[string][]string{"match": nil},
	},
	"group.match": matchShape,
	"silence": {
		arguments: []string{"when", "author", "reason", "starts", "ends"}, blocks: map[string][]string{"match": nil},
	},
	"silence.match": matchShape,
	"window": {
		arguments: []string{
			"when", "author", "reason", "starts", "ends", "from", "to", "days", "days_of_month", "months", "timezone",
		},
		blocks: map[string][]string{"match": nil},
	},
	"window.match": matchShape,
	"heartbeat": {
		arguments: []string{"description", "disabled", "allowed_cidrs", "every", "grace", "severity", "service", "labels"},
		blocks:    map[string][]string{"routing_key": {"id"}},
	},
	"heartbeat.routing_key":    keyShape,
	"integration.heartbeat":    {arguments: []string{"every", "grace", "severity", "service", "labels"}},
	"integration.flapping":     {arguments: []string{"transitions", "window", "quiet"}},
	"integration.auto_resolve": resolveShape,
	"auto_resolve":             resolveShape,
}

// schema returns the shape in HCL's words.
func (s shape) schema() *hcl.BodySchema {
	schema := &hcl.BodySchema{}
	for _, name := range s.arguments {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
	}
	for _, blocks := range []map[string][]string{s.blocks, s.later} {
		for _, kind := range slices.Sorted(maps.Keys(blocks)) {
			schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: kind, LabelNames: blocks[kind]})
		}
	}
	return schema
}
