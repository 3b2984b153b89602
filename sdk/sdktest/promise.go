package sdktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
	"unicode/utf8"

	"bellcrank.example/sdk"
)

// deadline is how long an adapter may take for a body of a few megabytes.
const deadline = 10 * time.Second

// checkAnswer holds any answer to the contract: no panic, no fault of the
// adapter, no empty success, valid text, and the same twice.
func checkAnswer(t runner, a sdk.Adapter, r sdk.Request) {
	t.Helper()
	if err := keepsPromise(a, r); err != nil {
		t.Fatalf("%v\nbody: %q", err, r.Body[:min(len(r.Body), 2000)])
	}
}

// keepsPromise says which part of the contract an answer breaks.
func keepsPromise(a sdk.Adapter, r sdk.Request) error {
	first, err := adapt(a, r)
	if err != nil {
		return err
	}
	second, err := adapt(a, r)
	if err != nil {
		return fmt.Errorf("the second time: %w", err)
	}
	if !bytes.Equal(first, second) {
		return fmt.Errorf("the second answer differs:\n%s\n%s", first, second)
	}
	return nil
}

// adapt returns the encoded answer, or what is wrong with it.
func adapt(a sdk.Adapter, r sdk.Request) (answer []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	body := bytes.Clone(r.Body)
	result, err := a.Adapt(ctx, r)
	if !bytes.Equal(body, r.Body) {
		return nil, errors.New("the adapter has changed the request's body")
	}
	if err != nil {
		failure, ok := errors.AsType[*sdk.Failure](err)
		switch {
		case !ok:
			return nil, fmt.Errorf("error %w is no *sdk.Failure", err)
		case !failure.RequestFault():
			return nil, fmt.Errorf("failure %s blames the adapter: %s", failure.Code, failure.Message)
		case !utf8.ValidString(failure.Message) || failure.Message == "":
			return nil, fmt.Errorf("failure %s has the message %q", failure.Code, failure.Message)
		}
		return []byte(failure.Error()), nil
	}
	return checkResult(result)
}

func checkResult(result sdk.Result) ([]byte, error) {
	if len(result.Events)+len(result.Rejected) == 0 && result.Ignored == "" && result.Reply == nil {
		return nil, errors.New("an empty success: no event, rejection, reason or reply")
	}
	for i := range result.Events {
		if err := checkEvent(&result.Events[i]); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
	}
	for _, rejection := range result.Rejected {
		if rejection.Reason == "" || !utf8.ValidString(rejection.Path+rejection.Reason) {
			return nil, fmt.Errorf("rejection %+v doesn't say why in valid UTF-8", rejection)
		}
	}
	for _, note := range append(result.Notes, result.Ignored) {
		if !utf8.ValidString(note) {
			return nil, fmt.Errorf("note %q is not valid UTF-8", note)
		}
	}
	encoded, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("the result can't be encoded: %w", err)
	}
	return encoded, nil
}

func checkEvent(e *sdk.Event) error {
	switch {
	case e.Action != sdk.Trigger && e.Action != sdk.Acknowledge && e.Action != sdk.Resolve:
		return fmt.Errorf("action %q", e.Action)
	case e.Action == sdk.Trigger && e.Title == "":
		return errors.New("a trigger without a title")
	case e.Severity != "" && !e.Severity.Valid():
		return fmt.Errorf("severity %q", e.Severity)
	case e.Action == sdk.Resolve && e.Severity != "":
		return errors.New("a resolve with a severity")
	case e.SourceURL != "" && !absolute(e.SourceURL):
		return fmt.Errorf("source URL %q is not absolute", e.SourceURL)
	}
	for _, link := range e.Links {
		if !absolute(link.URL) {
			return fmt.Errorf("link %q is not absolute", link.URL)
		}
	}
	return checkText(e)
}

// checkText looks at every text of an event. Encoding it would hide broken
// ones: encoding/json mends them silently.
func checkText(e *sdk.Event) error {
	texts := []string{e.Title, e.Description, e.DedupKey, e.SeriesKey, e.SeverityRaw, e.Service, e.SourceURL, e.IdentityRule}
	texts = append(texts, e.AffectedServices...)
	for name, value := range e.Labels {
		texts = append(texts, name, value)
	}
	for _, link := range e.Links {
		texts = append(texts, link.Name, link.URL)
	}
	for _, text := range appendTexts(texts, e.Metadata) {
		if !utf8.ValidString(text) {
			return fmt.Errorf("text %q is not valid UTF-8", text)
		}
	}
	return nil
}

// appendTexts appends the texts within a value of the metadata.
func appendTexts(texts []string, value any) []string {
	switch v := value.(type) {
	case string:
		return append(texts, v)
	case json.RawMessage:
		return append(texts, string(v))
	case map[string]any:
		for name, member := range v {
			texts = appendTexts(append(texts, name), member)
		}
	case []any:
		for _, element := range v {
			texts = appendTexts(texts, element)
		}
	}
	return texts
}

func absolute(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// givesUp says what is wrong with the answer to a caller that has gone. An
// answer is as good as the context's error, if it comes soon.
func givesUp(a sdk.Adapter, r sdk.Request) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	done := make(chan error, 1)
	go func() {
		_, err := a.Adapt(ctx, r)
		done <- err
	}()
	select {
	case err := <-done:
		if _, ok := errors.AsType[*sdk.Failure](err); err == nil || ok || errors.Is(err, context.Canceled) {
			return nil
		}
		return fmt.Errorf("error %w: want the context's", err)
	case <-time.After(deadline):
		return fmt.Errorf("still busy %v after the caller has gone", deadline)
	}
}
