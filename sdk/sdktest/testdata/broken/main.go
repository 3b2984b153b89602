// Command broken is an adapter that breaks the promise its argument names.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/serve"
)

func main() {
	broken := ""
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		broken = os.Args[1]
		os.Args = append(os.Args[:1], os.Args[2:]...)
	}
	a := adapter{broken: broken}
	if broken == "stays" {
		// The process neither ends when it is told to nor hears of signals.
		signal.Ignore(syscall.SIGTERM)
		go serve.Adapter(a)
		select {}
	}
	serve.Adapter(a)
}

type adapter struct{ broken string }

func (a adapter) Describe() sdk.Info {
	info := sdk.Info{
		Type: "broken", Name: "Broken", Version: "1.0.0", Summary: "Breaks a promise.", Setup: "Send to {{url}}.",
		Samples: []sdk.Sample{{Name: "one", Body: json.RawMessage(`{"name":"x"}`)}},
	}
	switch {
	case a.broken == "samples":
		info.Samples = []sdk.Sample{{Name: "none", Body: json.RawMessage(`{"nothing":1}`)}}
	case a.broken == "description":
		info.Summary = ""
	case a.broken == "two faces" && os.Getenv("BELLCRANK_PLUGIN") == "":
		info.Name = "Another"
	}
	return info
}

var (
	calls  atomic.Int64
	opened []any // what is never closed
)

func (a adapter) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	var body struct {
		Name  string `json:"name"`
		State string `json:"state"`
	}
	if err := json.Unmarshal(r.Body, &body); err != nil || body.Name == "" {
		return a.refuse()
	}
	e := sdk.Event{Action: sdk.Trigger, DedupKey: body.Name, Title: "About " + body.Name}
	if body.State == "ok" {
		e.Action = sdk.Resolve
	}
	return a.spoil(ctx, &e)
}

// last is what another call may have written meanwhile.
var last atomic.Value

// refuse is where hostile bodies come to.
func (a adapter) refuse() (sdk.Result, error) {
	switch a.broken {
	case "crash":
		os.Exit(3)
	case "panic":
		panic("no name")
	case "empty":
		return sdk.Result{}, nil
	case "blame":
		return sdk.Result{}, fmt.Errorf("no name")
	}
	return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Path: "name", Message: "want a name"}
}

func (a adapter) spoil(ctx context.Context, e *sdk.Event) (sdk.Result, error) {
	n := calls.Add(1)
	switch a.broken {
	case "counts":
		e.Title += fmt.Sprint(n)
	case "mixes":
		last.Store(*e)
		time.Sleep(time.Millisecond)
		*e = last.Load().(sdk.Event)
	case "pair":
		e.DedupKey += string(e.Action)
	case "golden":
		e.Service = "unexpected"
	case "file":
		_ = os.WriteFile(filepath.Join(os.TempDir(), "spool"), []byte("x"), 0o600)
	case "network":
		if n == 1 {
			if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
				opened = append(opened, l)
			}
		}
	case "slow":
		if ctx.Err() != nil {
			time.Sleep(time.Hour)
		}
	}
	return sdk.Result{Events: []sdk.Event{*e}}, nil
}
