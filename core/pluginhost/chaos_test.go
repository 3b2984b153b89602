//go:build unix

package pluginhost

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core/pluginhost/sandbox"
	"bellcrank.example/sdk"
	"bellcrank.example/sdk/serve"
)

// TestMain is the plugin and the shim as well: the tests run their own
// executable.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sandbox.Command {
		sandbox.Main(os.Args[2:])
	}
	if os.Getenv("BELLCRANK_PLUGIN") != "" {
		if os.Getenv("START") == "fail" {
			fmt.Fprintln(os.Stderr, "no database here")
			os.Exit(4)
		}
		serve.Adapter(chaos{})
		return
	}
	goleak.VerifyTestMain(m)
}

// burn uses so much processor time; for ever if it isn't said how much.
func burn(body []byte) {
	most, err := time.ParseDuration(string(body))
	began, _ := processorTime(os.Getpid())
	for {
		if used, _ := processorTime(os.Getpid()); err == nil && used-began >= most {
			return
		}
	}
}

// chaos does what the request's path says.
type chaos struct{}

func (chaos) Describe() sdk.Info {
	return sdk.Info{
		Type: "chaos", Name: "Chaos", Version: "1.0.0", Concurrency: 32,
		Samples: []sdk.Sample{{Name: "ok", Body: json.RawMessage(`{}`)}},
	}
}

func (chaos) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	event := sdk.Event{Action: sdk.Trigger, DedupKey: r.ID, Title: cmp.Or(os.Getenv("SAYS"), "chaos"), Description: string(r.Settings)}
	path := r.Path
	if r.ID != "probe" {
		path = cmp.Or(os.Getenv("ALWAYS"), path)
	}
	switch path {
	case "exit":
		os.Exit(9)
	case "panic":
		panic("as told")
	case "hang":
		select {}
	case "burn": // so much processor time, or for ever
		burn(r.Body)
	case "burn later":
		go burn(nil)
	case "sleep":
		d, err := time.ParseDuration(string(r.Body))
		if err != nil {
			return sdk.Result{}, err
		}
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return sdk.Result{}, ctx.Err()
		}
	case "flood":
		line := bytes.Repeat([]byte("flood "), 1000)
		for range 2000 {
			os.Stderr.Write(append(line, '\n'))
			fmt.Println(string(line))
		}
	case "log":
		sdk.Log(ctx).Warn("odd\nrequest", "bytes", len(r.Body))
	case "nothing":
		return sdk.Result{}, nil
	case "hundred thousand events":
		return sdk.Result{Events: make([]sdk.Event, 100_000)}, nil
	case "environment":
		event.Description = strings.Join(os.Environ(), "\n")
	case "reach":
		event.Labels = reach(r.Body)
	case "leak":
		return sdk.Result{}, leak()
	case "daemon":
		pid, err := daemon()
		if err != nil {
			return sdk.Result{}, err
		}
		event.Description = strconv.Itoa(pid)
	case "bomb":
		event.Description = bomb().Error()
	case "spin":
		for n := 0; ; n++ {
			if n < 0 {
				return sdk.Result{}, nil
			}
		}
	case "malformed":
		return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Message: "no"}
	}
	return sdk.Result{Events: []sdk.Event{event}}, nil
}

// daemon starts a process that leaves the plugin's process group and holds its
// output open.
func daemon() (pid int, err error) {
	return syscall.ForkExec("/bin/sleep", []string{"sleep", "3600"}, &syscall.ProcAttr{
		Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
}

// bomb starts processes until the kernel says no.
func bomb() error {
	for {
		if _, err := daemon(); err != nil {
			return err
		}
	}
}
