package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bellcrank.example/sdk"
)

// The headers that say what a body is.
const (
	headerResource  = "Sentry-Hook-Resource"
	headerTimestamp = "Sentry-Hook-Timestamp"
)

// The resources whose hooks are about incidents.
const (
	resourceEventAlert  = "event_alert"
	resourceError       = "error"
	resourceIssue       = "issue"
	resourceMetricAlert = "metric_alert"
	resourceLegacy      = "legacy plugin" // our name: that plugin sends no header
	resourcePlain       = "plain shape"   // our name: not Sentry's at all
)

// hook is a webhook request, opened.
type hook struct {
	resource string
	action   string
	// data has the members of the envelope's data, or of the body itself when
	// a relay passed only that on.
	data map[string]json.RawMessage
	// body is the whole body of the plain shape.
	body []byte
	// receivedAt is when Sentry received the event that the hook tells of,
	// zero if it tells of none.
	receivedAt time.Time
	notes      []string
}

// name is what Sentry's own documents call such a hook: "issue.resolved".
func (h *hook) name() string {
	if h.action == "" {
		return h.resource
	}
	return h.resource + "." + h.action
}

// note adds a remark for the operator, once.
func (h *hook) note(remark string) {
	if !slices.Contains(h.notes, remark) {
		h.notes = append(h.notes, remark)
	}
}

// resourceMembers tell by which member of data a resource is known when the
// header is missing. The order matters: an activity alert has an issue too.
var resourceMembers = []struct{ member, resource string }{
	{"activity", "activity_alert"},
	{"metric_alert", resourceMetricAlert},
	{"error", resourceError},
	{"comment_id", "comment"},
	{"event", resourceEventAlert},
	{"issue", resourceIssue},
	{"installation", "installation"},
	{"run_id", "seer"},
}

// readHook opens the envelope. The header decides what the body is, its shape
// only when there is no header.
func readHook(r sdk.Request) (*hook, error) {
	h := &hook{resource: plainWord(r.Header.Get(headerResource))}
	body := bytes.TrimSpace(bytes.TrimPrefix(r.Body, []byte("\ufeff")))
	if len(body) == 0 {
		return h.withoutBody()
	}
	var top map[string]json.RawMessage
	if err := decode(body, "", &top); err != nil {
		return nil, err
	}
	var action text
	_ = json.Unmarshal(top["action"], &action) // a text never fails, a missing action is none
	h.action = plainWord(string(action))
	h.data = top
	if inner, ok := asObject(top["data"]); ok {
		h.data = inner
	}
	if h.resource == "" {
		h.resource = h.resourceByShape(top)
	}
	if h.resource == "" {
		h.resource, h.body = resourcePlain, body
	}
	return h, nil
}

// withoutBody answers for the requests of Sentry's user interface, which may
// have none. A hook about an incident never comes without.
func (h *hook) withoutBody() (*hook, error) {
	switch h.resource {
	case "", resourceEventAlert, resourceError, resourceIssue, resourceMetricAlert:
		return nil, &sdk.Failure{Code: sdk.Malformed, Message: "the body is empty"}
	}
	return h, nil
}

func (h *hook) resourceByShape(top map[string]json.RawMessage) string {
	if _, enveloped := top["data"]; !enveloped && isLegacy(top) {
		return resourceLegacy
	}
	for _, known := range resourceMembers {
		if _, ok := h.data[known.member]; ok {
			return known.resource
		}
	}
	return ""
}

// member decodes one member of data, which has to be an object.
func (h *hook) member(name string, into any) error {
	raw, ok := h.data[name]
	if !ok || string(raw) == "null" {
		return &sdk.Failure{Code: sdk.Malformed, Path: "data." + name, Message: "missing, though the hook is " + h.name()}
	}
	return decode(raw, "data."+name, into)
}

// optional decodes a member of data that need not be there nor be readable.
func optional[T any](h *hook, name string) T {
	var v lax[T]
	_ = json.Unmarshal(h.data[name], &v) // a lax value never fails
	return v.Value
}

// unknownAction says why a hook is ignored whose action isn't in our tables.
func (h *hook) unknownAction() string { return h.name() + " has an action that is not known" }

// decode reads one JSON value of which path tells where it stood.
func decode(raw []byte, path string, into any) error {
	err := json.Unmarshal(raw, into)
	if err == nil {
		return nil
	}
	failure := &sdk.Failure{Code: sdk.Malformed, Path: path, Message: "not readable as JSON"}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		failure.Message = fmt.Sprintf("invalid JSON at byte %d", syntax.Offset)
	} else if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		failure.Message = "want an object, got " + wrong.Value
		failure.Path = strings.Trim(path+"."+wrong.Field, ".")
	}
	return failure
}

func asObject(raw json.RawMessage) (map[string]json.RawMessage, bool) {
	var object map[string]json.RawMessage
	err := json.Unmarshal(raw, &object)
	return object, err == nil && object != nil
}

// plainWord makes a resource or an action fit for a message: these are words
// of Sentry's, but anybody may have sent the header.
func plainWord(s string) string {
	s = strings.ToLower(strings.TrimSpace(strings.ToValidUTF8(s, "")))
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "")
	}
	return sdk.Line(s)
}
