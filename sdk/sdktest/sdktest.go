// Package sdktest is the conformance kit: what every adapter must do, run
// against an adapter value and its recorded cases.
//
// A case is a folder below testdata: request.json is what a vendor sent,
// want.json what the adapter must make of it. `go test -update` writes
// want.json anew; look at the difference before you accept it. Cases whose
// names end in "_firing" and "_resolved" and begin alike are a pair: the
// resolve must name the incident that the trigger opened.
package sdktest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"bellcrank.example/sdk"
)

var update = flag.Bool("update", false, "write what the adapter answers into want.json")

// Run holds the adapter to the contract, with the cases in testdata.
func Run(t *testing.T, a sdk.Adapter) {
	t.Helper()
	cases := loadCases(t)
	t.Run("description", func(t *testing.T) { checkDescription(t, a) })
	t.Run("cases", func(t *testing.T) { checkCases(t, a, cases) })
	t.Run("pairs", func(t *testing.T) { checkPairs(t, a, cases) })
	t.Run("samples", func(t *testing.T) { checkSamples(t, a) })
	t.Run("hostile bodies", func(t *testing.T) { checkHostile(t, a, cases) })
	t.Run("many at once", func(t *testing.T) { checkConcurrent(t, a, cases) })
}

// Fuzz feeds mutated bodies of the samples and cases: no panic, no empty
// success, and the same answer twice.
func Fuzz(f *testing.F, a sdk.Adapter) {
	f.Helper()
	requests := sampleRequests(a.Describe())
	for _, c := range loadCases(f) {
		requests = append(requests, c.request)
	}
	for i, r := range requests {
		f.Add(i, r.Body)
	}
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		r := requests[(i%len(requests)+len(requests))%len(requests)]
		r.Body = body
		checkAnswer(t, a, r)
	})
}

// testCase is one folder of testdata.
type testCase struct {
	name    string
	folder  string
	request sdk.Request
}

// want is the content of want.json: a result, or a failure.
type want struct {
	sdk.Result
	Failure *sdk.Failure `json:"failure,omitempty"`
}

// requestFile is the content of request.json. Body is JSON and passed on as
// it stands; BodyBase64 is for everything else.
type requestFile struct {
	Method     string            `json:"method"`
	Path       string            `json:"path"`
	Headers    map[string]string `json:"headers"`
	Query      string            `json:"query"`
	Body       json.RawMessage   `json:"body"`
	BodyBase64 string            `json:"body_base64"`
	Settings   json.RawMessage   `json:"settings"`
	ReceivedAt time.Time         `json:"received_at"`
}

// receivedAt is when requests without a time of their own were received.
var receivedAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func loadCases(t testing.TB) []testCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*", "request.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no testdata/<case>/request.json: record at least one request")
	}
	var cases []testCase
	for _, file := range files {
		folder := filepath.Dir(file)
		cases = append(cases, testCase{name: filepath.Base(folder), folder: folder, request: loadRequest(t, file)})
	}
	return cases
}

func loadRequest(t testing.TB, file string) sdk.Request {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var f requestFile
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	r := sdk.Request{
		ID: "01test", Method: f.Method, Path: f.Path, Header: http.Header{}, Body: f.Body,
		ReceivedAt: f.ReceivedAt, Integration: "test/case", Settings: f.Settings, Attempt: 1,
	}
	if r.Method == "" {
		r.Method = http.MethodPost
	}
	if r.ReceivedAt.IsZero() {
		r.ReceivedAt = receivedAt
	}
	for name, value := range f.Headers {
		r.Header.Set(name, value)
	}
	if r.Query, err = url.ParseQuery(f.Query); err != nil {
		t.Fatalf("%s: query: %v", file, err)
	}
	if f.BodyBase64 != "" {
		if r.Body, err = base64.StdEncoding.DecodeString(f.BodyBase64); err != nil {
			t.Fatalf("%s: body_base64: %v", file, err)
		}
	}
	return r
}

func checkDescription(t *testing.T, a sdk.Adapter) {
	info := a.Describe()
	if !reflect.DeepEqual(info, a.Describe()) {
		t.Error("Describe gives two different answers")
	}
	for field, value := range map[string]string{"Type": info.Type, "Name": info.Name, "Version": info.Version, "Summary": info.Summary, "Setup": info.Setup} {
		if value == "" {
			t.Errorf("Info.%s is empty", field)
		}
	}
	if !strings.Contains(info.Setup, "{{url}}") {
		t.Error("Info.Setup doesn't say where {{url}} goes")
	}
	if len(info.Samples) == 0 {
		t.Error("Info.Samples is empty: the test button has nothing to send")
	}
	for _, s := range info.Settings {
		if s.Doc == "" {
			t.Errorf("setting %s has no doc", s.Name)
		}
	}
}

func checkCases(t *testing.T, a sdk.Adapter, cases []testCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := encode(t, answer(t, a, c.request))
			file := filepath.Join(c.folder, "want.json")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			wanted, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v (run with -update to write it)", err)
			}
			if !bytes.Equal(normal(t, got), normal(t, wanted)) {
				t.Errorf("got  %s\nwant %s", got, wanted)
			}
			checkAnswer(t, a, c.request)
		})
	}
}

// answer calls the adapter. An error that isn't a failure is the adapter's
// fault, and no case expects that.
func answer(t testing.TB, a sdk.Adapter, r sdk.Request) want {
	t.Helper()
	result, err := a.Adapt(t.Context(), r)
	if err == nil {
		return want{Result: result}
	}
	failure, ok := errors.AsType[*sdk.Failure](err)
	if !ok {
		t.Fatalf("Adapt: %v; want an *sdk.Failure that says what is wrong with the request", err)
	}
	return want{Failure: failure}
}

func encode(t testing.TB, w want) []byte {
	t.Helper()
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(w); err != nil {
		t.Fatalf("encode the answer: %v", err)
	}
	return out.Bytes()
}

// normal re-encodes JSON so that layout doesn't matter, and numbers do.
func normal(t testing.TB, raw []byte) []byte {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("want.json: %v", err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// checkPairs holds the resolve of a pair to the keys of its trigger.
func checkPairs(t *testing.T, a sdk.Adapter, cases []testCase) {
	byName := map[string]testCase{}
	for _, c := range cases {
		byName[c.name] = c
	}
	pairs := 0
	for _, c := range cases {
		stem, ok := strings.CutSuffix(c.name, "_resolved")
		firing, there := byName[stem+"_firing"]
		if !ok || !there {
			continue
		}
		pairs++
		opened := keys(answer(t, a, firing.request), sdk.Trigger)
		for _, key := range keys(answer(t, a, c.request), sdk.Resolve) {
			if !slices.Contains(opened, key) {
				t.Errorf("%s resolves %q, but %s_firing opened %q", c.name, key, stem, opened)
			}
		}
	}
	if pairs == 0 {
		t.Error("no pair of cases <name>_firing and <name>_resolved")
	}
}

func keys(w want, action sdk.Action) []string {
	var keys []string
	for _, e := range w.Events {
		if e.Action == action {
			keys = append(keys, e.DedupKey)
		}
	}
	return keys
}

func sampleRequests(info sdk.Info) []sdk.Request {
	var requests []sdk.Request
	for _, s := range info.Samples {
		r := sdk.Request{
			ID: "01test", Method: s.Method, Path: s.Path, Header: s.Header.Clone(), Body: s.Body,
			ReceivedAt: receivedAt, Integration: "test/sample", Attempt: 1,
		}
		if r.Method == "" {
			r.Method = http.MethodPost
		}
		if r.Header == nil {
			r.Header = http.Header{}
		}
		requests = append(requests, r)
	}
	return requests
}

func checkSamples(t *testing.T, a sdk.Adapter) {
	info := a.Describe()
	for i, r := range sampleRequests(info) {
		if w := answer(t, a, r); w.Failure != nil || len(w.Events) == 0 || len(w.Rejected) > 0 {
			t.Errorf("sample %q gives %s, want events", info.Samples[i].Name, encode(t, w))
		}
	}
}

// checkHostile sends what no vendor should send.
func checkHostile(t *testing.T, a sdk.Adapter, cases []testCase) {
	requests := sampleRequests(a.Describe())
	for _, c := range cases {
		requests = append(requests, c.request)
	}
	for _, r := range requests {
		for _, body := range hostile(r.Body) {
			r.Body = body
			checkAnswer(t, a, r)
		}
	}
}

// checkAnswer holds any answer to the contract: no panic, no fault of the
// adapter, no empty success, valid text, and the same twice.
func checkAnswer(t testing.TB, a sdk.Adapter, r sdk.Request) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("panic: %v\nbody: %q", p, clip(r.Body))
		}
	}()
	first, err := adapt(a, r)
	if err != nil {
		t.Fatalf("%v\nbody: %q", err, clip(r.Body))
	}
	second, err := adapt(a, r)
	if err != nil || !bytes.Equal(first, second) {
		t.Fatalf("the second answer differs (%v):\n%s\n%s\nbody: %q", err, first, second, clip(r.Body))
	}
}

func clip(body []byte) []byte { return body[:min(len(body), 2000)] }

// adapt returns the encoded answer, or what is wrong with it.
func adapt(a sdk.Adapter, r sdk.Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	result, err := a.Adapt(ctx, r)
	if err != nil {
		failure, ok := errors.AsType[*sdk.Failure](err)
		switch {
		case !ok:
			return nil, fmt.Errorf("error %w is no *sdk.Failure", err)
		case !failure.RequestFault():
			return nil, fmt.Errorf("failure %s blames the adapter", failure.Code)
		}
		return []byte(failure.Error()), nil
	}
	if len(result.Events)+len(result.Rejected) == 0 && result.Ignored == "" && result.Reply == nil {
		return nil, errors.New("an empty success: no event, rejection, reason or reply")
	}
	for i := range result.Events {
		if err := checkEvent(&result.Events[i]); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
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
	for _, text := range []string{e.Title, e.Description, e.DedupKey, e.Service} {
		if !utf8.ValidString(text) {
			return fmt.Errorf("text %q is not valid UTF-8", text)
		}
	}
	for _, link := range e.Links {
		if !absolute(link.URL) {
			return fmt.Errorf("link %q is not absolute", link.URL)
		}
	}
	return nil
}

func absolute(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// checkConcurrent calls the adapter from many goroutines, for the race
// detector to watch.
func checkConcurrent(t *testing.T, a sdk.Adapter, cases []testCase) {
	var calls sync.WaitGroup
	for range 64 {
		calls.Go(func() {
			for _, c := range cases {
				if _, err := adapt(a, c.request); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			}
		})
	}
	calls.Wait()
}
