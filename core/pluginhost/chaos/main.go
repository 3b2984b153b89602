// Command chaos is the worst plugin that there can be: it does whatever evil a
// request's "do", or the variable START, tells it to. Tests run it as a real
// process.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/semver"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/serve"
)

func main() {
	if evil := starts[os.Getenv("START")]; evil != nil && len(os.Args) < 2 {
		evil()
	}
	serve.Adapter(adapter{})
}

// order is what a request asks for.
type order struct {
	Do    string `json:"do"`   // of calls
	Once  bool   `json:"once"` // at the first try only
	Title string `json:"title"`
	Key   string `json:"key"`
}

type adapter struct{}

// Describe says as little as possible.
func (adapter) Describe() sdk.Info {
	return sdk.Info{
		Type: "chaos", Name: "Chaos", Version: version, Summary: "Does every evil on command.",
		Samples: []sdk.Sample{{Name: "good", Body: json.RawMessage(`{"title":"sample","key":"sample"}`)}},
	}
}

// version is that of the folder that the executable is in, as in a plugin
// directory: one build serves as many versions.
var version = func() string {
	if folder := filepath.Base(filepath.Dir(os.Args[0])); semver.IsValid("v" + folder) {
		return folder
	}
	return "1.0.0"
}()

// Adapt obeys.
func (adapter) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	var o order
	if err := json.Unmarshal(r.Body, &o); err != nil {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Message: err.Error()}
	}
	event := sdk.Event{
		Action: sdk.Trigger, DedupKey: o.Key, Title: o.Title, Severity: sdk.High,
		Labels: map[string]string{"version": version},
	}
	if o.Once && r.Attempt > 1 {
		o.Do = ""
	}
	if evil := calls[o.Do]; evil != nil {
		return evil(ctx, event)
	}
	if o.Do != "" {
		return sdk.Result{}, fmt.Errorf("no evil is called %q", o.Do)
	}
	return sdk.Result{Events: []sdk.Event{event}}, nil
}

// forEver is longer than anybody waits.
const forEver = time.Hour
