package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Decode reads one JSON value into a T. A member of another kind than T says
// stays empty instead of costing the alert; combine it with Text, Texts and
// Labels, which take what comes. Its error is a *Failure with code Malformed:
// the body is no JSON, or another kind of value altogether.
func Decode[T any](raw []byte) (T, error) {
	var value T
	if len(bytes.TrimSpace(raw)) == 0 {
		return value, &Failure{Code: Malformed, Message: "the body is empty"}
	}
	err := json.Unmarshal(raw, &value)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field != "" {
			return value, nil // the decoder has gone on to the other members
		}
		return value, &Failure{Code: Malformed, Message: "want " + kindOf(value) + ", not a JSON " + wrong.Value}
	}
	if err != nil {
		return value, malformed(err)
	}
	if string(bytes.TrimSpace(raw)) == "null" {
		return value, &Failure{Code: Malformed, Message: "want " + kindOf(value) + ", not null"}
	}
	return value, nil
}

// kindOf is what JSON calls the values that go into a Go value.
func kindOf(value any) string {
	switch value.(type) {
	case []json.RawMessage, []any:
		return "a JSON list"
	}
	return "a JSON object"
}

// malformed says what is wrong with a body that isn't JSON.
func malformed(err error) *Failure {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return &Failure{Code: Malformed, Message: fmt.Sprintf("invalid JSON at byte %d", syntax.Offset)}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &Failure{Code: Malformed, Message: "the JSON ends too early"}
	}
	return &Failure{Code: Malformed, Message: "invalid JSON"}
}

// Elements returns the elements of a body that is a list, or the body itself:
// many vendors send one object, or several at once.
func Elements(body []byte) ([]json.RawMessage, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
		return []json.RawMessage{body}, nil
	}
	return Decode[[]json.RawMessage](body)
}

// Each makes an event of each element of a batch. An element that can't be
// read, or for which event returns an error, is rejected and costs the others
// nothing. Path is where the batch stands in the body, such as "alerts"; empty
// for the body itself. If nothing can be read, Each returns the first element's
// error as a *Failure.
func Each[T any](ctx context.Context, path string, elements []json.RawMessage, event func(T) (Event, error)) (Result, error) {
	var result Result
	var first *Failure
	for i, element := range elements {
		if err := ctx.Err(); err != nil {
			return Result{}, fmt.Errorf("element %d of %d: %w", i, len(elements), err)
		}
		e, err := eventOf(element, event)
		if err == nil {
			result.Events = append(result.Events, e)
			continue
		}
		failure, ok := errors.AsType[*Failure](err)
		if !ok {
			return Result{}, fmt.Errorf("element %d: %w", i, err)
		}
		at := &Failure{Code: failure.Code, Path: elementPath(path, i, len(elements), failure.Path), Message: failure.Message}
		if first == nil {
			first = at
		}
		result.Rejected = append(result.Rejected, Rejection{Index: i, Path: at.Path, Reason: at.Message})
	}
	switch {
	case len(result.Events) > 0:
		return result, nil
	case first != nil:
		return Result{}, first
	}
	return Result{}, &Failure{Code: Malformed, Path: path, Message: "there is nothing in the list"}
}

func eventOf[T any](element json.RawMessage, event func(T) (Event, error)) (Event, error) {
	value, err := Decode[T](element)
	if err != nil {
		return Event{}, err
	}
	return event(value)
}

// elementPath is the path of a member of an element. A body that is no list
// has no index.
func elementPath(path string, index, count int, member string) string {
	if path != "" || count > 1 {
		path = fmt.Sprintf("%s[%d]", path, index)
	}
	return strings.Trim(path+"."+member, ".")
}
