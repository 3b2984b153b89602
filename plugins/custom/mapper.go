package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
	"bellcrank.example/sdk/expr"
)

// mapper applies mappings to one request.
type mapper struct {
	*program  // in use
	budget    *expr.Budget
	variables map[string]any
	result    sdk.Result
	ignored   int
	reason    string // why the last of the ignored was
}

// mapRequest makes events by the first mapping that is for the request. It
// reports false if none is.
func mapRequest(ctx context.Context, programs []*program, r sdk.Request) (result sdk.Result, ok bool, err error) {
	body, err := decodeBody(r)
	if err != nil {
		return sdk.Result{}, true, err
	}
	m := &mapper{budget: expr.NewBudget(ctx.Err), variables: map[string]any{
		"body": body, "headers": firstValues(r.Header), "query": firstValues(r.Query),
		"method": r.Method, "path": strings.ToValidUTF8(r.Path, "�"),
	}}
	for _, p := range programs {
		m.program = p
		applies, err := m.holds("when", true)
		if ctx.Err() != nil {
			return sdk.Result{}, true, ctx.Err()
		}
		if err != nil {
			return sdk.Result{}, true, unsupported("when", err)
		}
		if applies {
			err := m.apply(ctx, body)
			return m.result, true, err
		}
	}
	return sdk.Result{}, false, nil
}

func unsupported(path string, err error) *sdk.Failure {
	return &sdk.Failure{Code: sdk.Unsupported, Path: path, Message: err.Error()}
}

// decodeBody returns the body as expressions see it: JSON, the members of a
// form, or text.
func decodeBody(r sdk.Request) (any, error) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	trimmed := bytes.TrimSpace(r.Body)
	switch {
	case len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '['), strings.HasSuffix(media, "json") && len(trimmed) > 0:
		return expr.Decode(trimmed)
	case media == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(trimmed))
		if err != nil {
			return nil, &sdk.Failure{Code: sdk.Malformed, Message: "the form isn't encoded as one"}
		}
		return firstValues(form), nil
	}
	return strings.ToValidUTF8(string(r.Body), "�"), nil
}

// firstValues are the first of each name's values; names are in lower case.
func firstValues(all map[string][]string) map[string]any {
	one := make(map[string]any, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		lower := strings.ToValidUTF8(strings.ToLower(name), "�")
		if _, there := one[lower]; !there && len(all[name]) > 0 {
			one[lower] = strings.ToValidUTF8(all[name][0], "�")
		}
	}
	return one
}

// holds evaluates a condition; absent is what holds if it isn't written.
func (m *mapper) holds(name string, absent bool) (bool, error) {
	p := m.fields[name]
	if p == nil {
		return absent, nil
	}
	return p.Holds(m.budget, m.variables)
}

// text evaluates to text, value to anything; empty and null if it isn't
// written.
func (m *mapper) text(name string) (string, error) {
	p := m.fields[name]
	if p == nil {
		return "", nil
	}
	text, err := p.Text(m.budget, m.variables)
	return strings.TrimSpace(text), err
}

func (m *mapper) value(name string) (any, error) {
	p := m.fields[name]
	if p == nil {
		return nil, nil
	}
	return p.Value(m.budget, m.variables)
}

// apply makes the events of all elements. One that can't be mapped costs only
// itself, as long as there is another.
func (m *mapper) apply(ctx context.Context, body any) error {
	batch, err := m.elements(body)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	for i, element := range batch.list {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.element(i, element, batch)
	}
	return m.conclude(len(batch.list))
}

// elements are what events are made of.
type elements struct {
	list   []any
	keys   []any
	asBody bool // they stand for the body each
}

// elements finds what events are made of.
func (m *mapper) elements(body any) (elements, error) {
	if !m.has("for_each") {
		list, ok := body.([]any)
		if !ok {
			list = []any{body}
		}
		return elements{list: list, asBody: true}, nil
	}
	value, err := m.value("for_each")
	if err != nil {
		return elements{}, unsupported("for_each", err)
	}
	switch v := value.(type) {
	case []any:
		return elements{list: v}, nil
	case map[string]any:
		var e elements
		for _, key := range slices.Sorted(maps.Keys(v)) {
			e.list, e.keys = append(e.list, v[key]), append(e.keys, key)
		}
		return e, nil
	}
	return elements{}, unsupported("for_each", fmt.Errorf("%s: for_each gives no list: what it reads isn't in this body", m.fields["for_each"].Place()))
}

func (m *mapper) element(i int, element any, batch elements) {
	position := any(strconv.Itoa(i))
	if batch.keys != nil {
		position = batch.keys[i]
	}
	m.variables["each"] = map[string]any{"key": position, "value": element}
	if batch.asBody {
		m.variables["body"] = element
	}
	e := event{mapper: m, element: element}
	action, err := e.action()
	switch {
	case err != nil:
	case action == "":
		m.ignored++
		return
	default:
		err = e.read(action)
	}
	if err != nil {
		m.result.Rejected = append(m.result.Rejected, sdk.Rejection{Index: i, Path: e.field, Reason: err.Error()})
		return
	}
	for _, note := range e.notes {
		if len(batch.list) > 1 {
			note = fmt.Sprintf("%s (element %d)", note, i)
		}
		m.result.Notes = append(m.result.Notes, note)
	}
	m.result.Events = append(m.result.Events, e.Event)
}

// conclude never leaves the result empty: what makes no event is ignored for a
// reason, or it is a failure.
func (m *mapper) conclude(of int) error {
	switch {
	case len(m.result.Events) > 0:
		if m.ignored > 0 {
			m.result.Notes = append(m.result.Notes, fmt.Sprintf("%d of %d elements were ignored: %s", m.ignored, of, m.reason))
		}
	case len(m.result.Rejected) > 0 && m.ignored == 0:
		first := m.result.Rejected[0]
		path := first.Path
		if of > 1 {
			path = fmt.Sprintf("[%d].%s", first.Index, first.Path)
		}
		return &sdk.Failure{Code: sdk.Unsupported, Path: path, Message: first.Reason}
	case m.ignored > 0:
		m.result.Ignored = m.reason
	default:
		m.result.Ignored = fmt.Sprintf("mapping %s: an empty list", m.name)
	}
	return nil
}

// plain reads the body as the plain shape, if it is one: the gateway's own
// tests, and people who follow the documents, send it whatever is mapped.
func plain(r sdk.Request, cause error) (sdk.Result, bool) {
	members, err := flat.Parse(bytes.TrimSpace(r.Body))
	if err != nil || !members.Has("title") {
		return sdk.Result{}, false
	}
	event, notes, err := flat.Event(members)
	if err != nil {
		return sdk.Result{}, false
	}
	why := "no mapping is for it"
	if cause != nil {
		why = cause.Error()
	}
	return sdk.Result{Events: []sdk.Event{event}, Notes: append(notes, "read as the plain shape: "+why)}, true
}
