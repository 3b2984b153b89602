package sdktest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"bellcrank.example/sdk"
)

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

func loadCases(t runner, folder string) []testCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*", "request.json"))
	if err != nil {
		t.Fatalf("%v", err)
	}
	if len(files) == 0 {
		t.Fatalf("no %s/<case>/request.json: record at least one request", folder)
	}
	var cases []testCase
	for _, file := range files {
		folder := filepath.Dir(file)
		cases = append(cases, testCase{name: filepath.Base(folder), folder: folder, request: loadRequest(t, file)})
	}
	return cases
}

func loadRequest(t runner, file string) sdk.Request {
	t.Helper()
	r, err := ReadRequest(file)
	if err != nil {
		t.Fatalf("%v", err)
	}
	r.Integration = "test/case"
	return r
}

// ReadRequest reads the request.json of a case.
func ReadRequest(file string) (sdk.Request, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return sdk.Request{}, err
	}
	var f requestFile
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return sdk.Request{}, fmt.Errorf("%s: %w", file, err)
	}
	r := newRequest(f.Method, f.Body)
	r.Path, r.Settings = f.Path, f.Settings
	if !f.ReceivedAt.IsZero() {
		r.ReceivedAt = f.ReceivedAt
	}
	for name, value := range f.Headers {
		r.Header.Set(name, value)
	}
	if r.Query, err = url.ParseQuery(f.Query); err != nil {
		return sdk.Request{}, fmt.Errorf("%s: query: %w", file, err)
	}
	if f.BodyBase64 != "" {
		if r.Body, err = base64.StdEncoding.DecodeString(f.BodyBase64); err != nil {
			return sdk.Request{}, fmt.Errorf("%s: body_base64: %w", file, err)
		}
	}
	return r, nil
}

func sampleRequests(info sdk.Info) []sdk.Request {
	var requests []sdk.Request
	for _, s := range info.Samples {
		r := newRequest(s.Method, s.Body)
		r.Path, r.Integration = s.Path, "test/sample"
		if s.Header != nil {
			r.Header = s.Header.Clone()
		}
		requests = append(requests, r)
	}
	return requests
}

func newRequest(method string, body []byte) sdk.Request {
	if method == "" {
		method = http.MethodPost
	}
	return sdk.Request{ID: "01test", Method: method, Header: http.Header{}, Body: body, ReceivedAt: receivedAt, Attempt: 1}
}

// answer calls the adapter. An error that isn't a failure is the adapter's
// fault, and no case expects that.
func answer(t runner, a sdk.Adapter, r sdk.Request) want {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	result, err := a.Adapt(ctx, r)
	if err == nil {
		return want{Result: result}
	}
	failure, ok := errors.AsType[*sdk.Failure](err)
	if !ok {
		t.Fatalf("Adapt: %v; want an *sdk.Failure that says what is wrong with the request", err)
	}
	return want{Failure: failure}
}

func encode(t runner, w want) []byte {
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
func normal(t runner, raw []byte) []byte {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("want.json: %v", err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return out
}
