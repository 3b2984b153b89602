package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"bellcrank.example/sdk"
)

// starts are the evils of a start.
var starts = map[string]func(){
	"crash":    func() { os.Exit(3) },
	"exit 0":   func() { os.Exit(0) },
	"hang":     func() { time.Sleep(forEver) },
	"noise":    func() { shout(bytes.Repeat([]byte{0, 0xff, '|', 0x1b}, 4096)) },
	"long":     func() { shout(bytes.Repeat([]byte("1|1|"), 20_000)) },
	"protocol": func() { shout([]byte("1|99|unix|/nowhere|grpc\n")) },
	"netrpc":   func() { shout([]byte("1|1|unix|/nowhere|netrpc\n")) },
	"deaf":     func() { signal.Ignore(syscall.SIGTERM, syscall.SIGINT) },
}

// shout writes to what was standard output before it was set aside. It stays.
func shout(line []byte) {
	for fd := 5; fd < 16; fd++ {
		_, _ = syscall.Write(fd, line) // one of them is it
	}
	time.Sleep(forEver)
}

// calls are the evils of a call.
var calls = map[string]func(context.Context, sdk.Event) (sdk.Result, error){
	"crash":  func(context.Context, sdk.Event) (sdk.Result, error) { os.Exit(9); return sdk.Result{}, nil },
	"exit 0": func(context.Context, sdk.Event) (sdk.Result, error) { os.Exit(0); return sdk.Result{}, nil },
	"crash after the answer": func(_ context.Context, e sdk.Event) (sdk.Result, error) {
		time.AfterFunc(50*time.Millisecond, func() { os.Exit(9) })
		return sdk.Result{Events: []sdk.Event{e}}, nil
	},
	"panic elsewhere": func(context.Context, sdk.Event) (sdk.Result, error) {
		go panic("a goroutine that nobody recovers")
		time.Sleep(forEver)
		return sdk.Result{}, nil
	},
	"sleep": func(context.Context, sdk.Event) (sdk.Result, error) { time.Sleep(forEver); return sdk.Result{}, nil },
	"spin": func(context.Context, sdk.Event) (sdk.Result, error) {
		for n := 0; ; n++ {
			if n < 0 {
				return sdk.Result{}, nil
			}
		}
	},
	"stop": func(context.Context, sdk.Event) (sdk.Result, error) {
		_ = syscall.Tgkill(os.Getpid(), os.Getpid(), syscall.SIGSTOP)
		time.Sleep(forEver) // should somebody wake it
		return sdk.Result{}, nil
	},
	"leak": func(context.Context, sdk.Event) (sdk.Result, error) {
		var held [][]byte
		for range 2048 {
			held = append(held, bytes.Repeat([]byte{1}, 1<<20))
		}
		return sdk.Result{}, fmt.Errorf("%d MiB were there", len(held))
	},
	"descriptors": func(_ context.Context, e sdk.Event) (sdk.Result, error) {
		var held []*os.File
		for {
			r, w, err := os.Pipe()
			if err != nil {
				leaked = held
				return sdk.Result{Events: []sdk.Event{e}}, nil
			}
			held = append(held, r, w)
		}
	},
	"huge answer": func(_ context.Context, e sdk.Event) (sdk.Result, error) {
		e.Description = strings.Repeat("x", 100<<20)
		return sdk.Result{Events: []sdk.Event{e}}, nil
	},
	"many events": func(_ context.Context, e sdk.Event) (sdk.Result, error) {
		events := make([]sdk.Event, 100_000)
		for i := range events {
			events[i] = e
			events[i].DedupKey = fmt.Sprint(i)
		}
		return sdk.Result{Events: events}, nil
	},
	"lies":    func(_ context.Context, e sdk.Event) (sdk.Result, error) { return sdk.Result{Events: lies(e)}, nil },
	"nothing": func(context.Context, sdk.Event) (sdk.Result, error) { return sdk.Result{}, nil },
	"flood": func(_ context.Context, e sdk.Event) (sdk.Result, error) {
		line := append(bytes.Repeat([]byte("flood\x1b[2J "), 900), '\n')
		for range 300 {
			_, _ = os.Stderr.Write(line) // whether anybody reads it or not
			_, _ = os.Stdout.Write(line)
		}
		return sdk.Result{Events: []sdk.Event{e}}, nil
	},
	"grandchild": func(context.Context, sdk.Event) (sdk.Result, error) {
		child := exec.Command("/bin/sleep", "3600") // it holds our pipes
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			return sdk.Result{}, err
		}
		os.Exit(9)
		return sdk.Result{}, nil
	},
}

// leaked keeps descriptors open.
var leaked []*os.File //nolint:unused // kept, never read

// lies are one good event among those that no adapter may return.
func lies(good sdk.Event) []sdk.Event {
	lie := func(change func(*sdk.Event)) sdk.Event {
		e := good
		e.DedupKey += "-lie"
		change(&e)
		return e
	}
	deep := map[string]any{}
	for at, n := deep, 0; n < 500; n++ {
		next := map[string]any{}
		at["deeper"] = next
		at = next
	}
	return []sdk.Event{
		good,
		lie(func(e *sdk.Event) { e.Title = "\xff\xfe broken" }),
		lie(func(e *sdk.Event) { e.Title = "nul\x00 and bell\a" }),
		lie(func(e *sdk.Event) { e.Title = strings.Repeat("t", 10<<20) }),
		lie(func(e *sdk.Event) { e.Title = "" }),
		lie(func(e *sdk.Event) { e.Severity = "Apocalyptic" }),
		lie(func(e *sdk.Event) { e.Action = "explode" }),
		lie(func(e *sdk.Event) { e.Metadata = map[string]any{"deep": deep} }),
		lie(func(e *sdk.Event) { e.OccurredAt = time.Unix(math.MaxInt32*100, 0) }),
		lie(func(e *sdk.Event) { e.SourceURL = "javascript:alert(1)" }),
		lie(func(e *sdk.Event) { e.DedupKey = strings.Repeat("k", 1<<20) }),
	}
}
