package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"bellcrank.example/sdk"
)

// disks is a small adapter that keeps every promise.
type disks struct{}

func (disks) Describe() sdk.Info {
	return sdk.Info{
		Type: "disks", Name: "Disks", Version: "1.0.0", Summary: "Tells of full disks.",
		Setup: "Send to {{url}}.", Settings: sdk.SettingsOf[diskSettings](),
		Samples: []sdk.Sample{{Name: "a full disk", Body: json.RawMessage(`{"disk":"sda","full":true}`)}},
	}
}

type diskSettings struct {
	Level string `json:"level" default:"High" enum:"High,Low" doc:"How bad a full disk is."`
}

func (disks) Adapt(_ context.Context, r sdk.Request) (sdk.Result, error) {
	var p struct {
		Disk string `json:"disk"`
		Full *bool  `json:"full"`
	}
	if err := json.Unmarshal(r.Body, &p); err != nil || p.Disk == "" {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Path: "disk", Message: "want the name of a disk"}
	}
	e := sdk.Event{Action: sdk.Trigger, Severity: sdk.High, DedupKey: p.Disk, Title: "Disk " + p.Disk + " is full"}
	if p.Full != nil && !*p.Full {
		e.Action, e.Severity = sdk.Resolve, ""
	}
	return sdk.Result{Events: []sdk.Event{e}}, nil
}

func TestRunPassesAnAdapterThatKeepsItsPromises(t *testing.T) { Run(t, disks{}) }

func FuzzDisks(f *testing.F) { Fuzz(f, disks{}) }

// answers is an adapter whose answer a test makes up.
type answers struct {
	disks

	adapt func(sdk.Request) (sdk.Result, error)
}

func (a answers) Adapt(_ context.Context, r sdk.Request) (sdk.Result, error) { return a.adapt(r) }

// gives answers with one event.
func gives(e sdk.Event) func(sdk.Request) (sdk.Result, error) {
	return func(sdk.Request) (sdk.Result, error) { return sdk.Result{Events: []sdk.Event{e}}, nil }
}

func TestEveryBrokenPromiseIsNoticed(t *testing.T) {
	var calls atomic.Int64
	tests := map[string]struct {
		adapt func(sdk.Request) (sdk.Result, error)
		want  string // part of the complaint
	}{
		"panic":               {func(sdk.Request) (sdk.Result, error) { panic("nil map") }, "panic: nil map"},
		"empty success":       {func(sdk.Request) (sdk.Result, error) { return sdk.Result{}, nil }, "empty success"},
		"an error of its own": {func(sdk.Request) (sdk.Result, error) { return sdk.Result{}, errors.New("oops") }, "no *sdk.Failure"},
		"blames itself": {func(sdk.Request) (sdk.Result, error) {
			return sdk.Result{}, &sdk.Failure{Code: sdk.Internal, Message: "x"}
		}, "blames the adapter"},
		"says nothing":          {func(sdk.Request) (sdk.Result, error) { return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed} }, "has the message"},
		"no action":             {gives(sdk.Event{Title: "x"}), "action"},
		"no title":              {gives(sdk.Event{Action: sdk.Trigger}), "without a title"},
		"a level of its own":    {gives(sdk.Event{Action: sdk.Trigger, Title: "x", Severity: "fatal"}), "severity"},
		"resolve with severity": {gives(sdk.Event{Action: sdk.Resolve, Severity: sdk.High}), "resolve with a severity"},
		"relative URL":          {gives(sdk.Event{Action: sdk.Trigger, Title: "x", SourceURL: "/a"}), "not absolute"},
		"relative link":         {gives(sdk.Event{Action: sdk.Trigger, Title: "x", Links: []sdk.Link{{Name: "a", URL: "javascript:a"}}}), "not absolute"},
		"broken title":          {gives(sdk.Event{Action: sdk.Trigger, Title: "\xff"}), "UTF-8"},
		"broken label":          {gives(sdk.Event{Action: sdk.Trigger, Title: "x", Labels: map[string]string{"\xff": ""}}), "UTF-8"},
		"broken metadata":       {gives(sdk.Event{Action: sdk.Trigger, Title: "x", Metadata: map[string]any{"a": []any{map[string]any{"b": "\xff"}}}}), "UTF-8"},
		"not encodable":         {gives(sdk.Event{Action: sdk.Trigger, Title: "x", Metadata: map[string]any{"a": func() {}}}), "can't be encoded"},
		"two answers": {func(sdk.Request) (sdk.Result, error) {
			return sdk.Result{Events: []sdk.Event{{Action: sdk.Trigger, Title: strings.Repeat("x", int(calls.Add(1)))}}}, nil
		}, "second answer differs"},
		"writes into the body": {func(r sdk.Request) (sdk.Result, error) { r.Body[0] = 'x'; return sdk.Result{Ignored: "x"}, nil }, "changed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := keepsPromise(answers{adapt: tt.adapt}, newRequest("", []byte(`{"disk":"sda"}`)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a complaint with %q", err, tt.want)
			}
		})
	}
}

// described is an adapter whose description a test makes up.
type described struct {
	disks

	info sdk.Info
}

func (d described) Describe() sdk.Info { return d.info }

func TestEveryGapInADescriptionIsNoticed(t *testing.T) {
	tests := map[string]struct {
		change func(*sdk.Info)
		want   string
	}{
		"type":          {func(i *sdk.Info) { i.Type = "Disk Space" }, "Info.Type"},
		"version":       {func(i *sdk.Info) { i.Version = "1" }, "Info.Version"},
		"summary":       {func(i *sdk.Info) { i.Summary = "" }, "Info.Summary"},
		"setup":         {func(i *sdk.Info) { i.Setup = "Good luck." }, "{{url}}"},
		"samples":       {func(i *sdk.Info) { i.Samples = nil }, "Info.Samples"},
		"setting twice": {func(i *sdk.Info) { i.Settings = append(i.Settings, i.Settings...) }, "twice"},
		"setting's doc": {func(i *sdk.Info) { i.Settings[0].Doc = "" }, "no doc"},
		"default's type": {func(i *sdk.Info) {
			i.Settings[0] = sdk.Setting{Name: "a", Type: sdk.TypeList, Default: json.RawMessage(`[1]`), Doc: "x"}
		}, "its default is"},
		"default not allowed": {func(i *sdk.Info) { i.Settings[0].Default = json.RawMessage(`"Medium"`) }, "doesn't allow"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info := disks{}.Describe()
			info.Settings = slices.Clone(info.Settings)
			tt.change(&info)
			if got := complaints(described{info: info}); len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("got %q, want one complaint with %q", got, tt.want)
			}
		})
	}
	if got := complaints(disks{}); len(got) != 0 {
		t.Errorf("complete description: got %q, want no complaint", got)
	}
}

func TestHostileBodiesChangeEveryMember(t *testing.T) {
	bodies := hostile([]byte(`{"a":{"b":[1,{"c":"x"}]}}`), len(instead()))
	for name, want := range map[string]string{
		"removed":        `{}`,
		"emptied":        `{"a":null}`,
		"deep inside":    `{"a":{"b":null}}`,
		"renamed":        `{"A":{"b":[1,{"c":"x"}]}}`,
		"second before":  `{"a":null,"a":{"b":[1,{"c":"x"}]}}`,
		"second after":   `{"a":{"b":[1,{"c":"x"}]},"a":null}`,
		"list doubled":   `{"a":{"b":[1,{"c":"x"},1,{"c":"x"}]}}`,
		"first one gone": `{"a":{"b":[{"c":"x"}]}}`,
	} {
		if !slices.ContainsFunc(bodies, func(b []byte) bool { return string(b) == want }) {
			t.Errorf("%s: no body %s", name, want)
		}
	}
}

func TestSeveralMembersMeetEveryValue(t *testing.T) {
	met := map[int]bool{}
	m := mutator{values: 3}
	for range len(instead()) {
		from := m.next
		for i := range m.instead() {
			met[(from+i)%len(instead())] = true
		}
	}
	if len(met) != len(instead()) {
		t.Errorf("met %d values, want %d", len(met), len(instead()))
	}
}

func TestGrownBatchesAreLong(t *testing.T) {
	for _, body := range []string{`{"alerts":[{"a":1},{"a":2}],"tags":["x"]}`, `[{"a":1}]`, `{"title":1}`} {
		if got := grown([]byte(body)); len(got) < grownSize/4 || !json.Valid(got) {
			t.Errorf("grown(%s) has %d bytes, want %d of JSON or more", body, len(got), grownSize/4)
		}
	}
	if got := string(grown([]byte("not JSON"))); got != "not JSON" {
		t.Errorf("grown(not JSON) = %q", got)
	}
}
