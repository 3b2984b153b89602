package sdktest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/client"
)

// Process says which executable to hold to the contract. Path is required.
type Process struct {
	Path   string
	Args   []string
	Cases  string    // folder of cases; without one only what needs none is checked
	Update bool      // write want.json anew instead of comparing
	Output io.Writer // gets what the process prints; discarded if nil
	// Settings are those of a destination, as a JSON object.
	Settings json.RawMessage
}

// CheckProcess runs the kit against a plugin executable in any language. An
// error means that it could not even be started.
func CheckProcess(ctx context.Context, p Process) (*Report, error) {
	dir, err := os.MkdirTemp("", "bellcrank-kit-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the plugin: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is a temporary folder
	running, err := p.start(ctx, dir, "")
	if err != nil {
		return nil, err
	}
	defer running.Kill()
	t := &inReport{report: &Report{}}
	a := &process{Client: running, configured: map[string]string{}}
	t.do(func(t runner) {
		if running.Describe().Role == sdk.RoleDestination {
			everyDestinationCheck(t, running, p.Settings)
			t.run("process", func(t runner) { checkEveryProcess(ctx, t, a, p, dir) })
			return
		}
		var cases []testCase
		if p.Cases != "" {
			cases = loadCases(t, p.Cases)
		}
		everyCheck(t, a, cases, p.Update)
		t.run("ways", func(t runner) { checkWays(ctx, t, a, p, dir, cases) })
		t.run("process", func(t runner) { checkProcess(ctx, t, a, p, dir) })
	})
	if len(t.check.Complaints) > 0 {
		t.report.Checks = append(t.report.Checks, Check{Name: "the kit", Complaints: t.check.Complaints})
	}
	return t.report, nil
}

// start starts the executable, which requests reach in one way.
func (p Process) start(ctx context.Context, dir string, way client.Way) (*client.Client, error) {
	running, err := client.Start(ctx, client.Config{
		Path: p.Path, Args: p.Args, Output: p.Output, StartTimeout: 30 * time.Second, Way: way,
		// Who writes "a file" writes it here, where it is found.
		Env: []string{"HOME=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH")},
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Path, err)
	}
	return running, nil
}

// process is a running plugin as an adapter. It hands over settings and picks
// headers as the gateway does.
type process struct {
	*client.Client

	mu         sync.Mutex
	configured map[string]string // settings -> the integration that has them
}

// Adapt calls the process.
func (p *process) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	integration, err := p.configure(ctx, r.Settings)
	if err != nil {
		return sdk.Result{}, err
	}
	wanted := http.Header{}
	for _, name := range p.Describe().Headers {
		if values := r.Header.Values(name); len(values) > 0 {
			wanted[http.CanonicalHeaderKey(name)] = values
		}
	}
	r.Integration, r.Header, r.Settings = integration, wanted, nil
	result, err := p.Client.Adapt(ctx, r)
	if e, ok := errors.AsType[*client.Error](err); ok && e.Kind == client.Timeout && ctx.Err() != nil {
		return sdk.Result{}, ctx.Err() // what an adapter value says in this case
	}
	return result, err
}

func (p *process) configure(ctx context.Context, settings json.RawMessage) (string, error) {
	if len(settings) == 0 {
		settings = json.RawMessage("{}")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if integration, ok := p.configured[string(settings)]; ok {
		return integration, nil
	}
	integration := fmt.Sprintf("%s/kit-%d", p.Describe().Type, len(p.configured))
	if err := p.Configure(context.WithoutCancel(ctx), integration, settings); err != nil {
		return "", err
	}
	p.configured[string(settings)] = integration
	return integration, nil
}

func checkProcess(ctx context.Context, t runner, a *process, p Process, dir string) {
	t.run("a large body", func(t runner) { checkLarge(ctx, t, a) })
	checkEveryProcess(ctx, t, a, p, dir)
}

// checkEveryProcess is what a process has to do whatever its role.
func checkEveryProcess(ctx context.Context, t runner, a *process, p Process, dir string) {
	t.run("describes itself alike", func(t runner) { checkDescribe(ctx, t, a, p) })
	t.run("health", func(t runner) {
		if err := a.Check(ctx); err != nil {
			t.Errorf("the health service: %v", err)
		}
	})
	t.run("settings come and go", func(t runner) { checkSettings(ctx, t, a) })
	t.run("no files and no network", func(t runner) { checkTraces(t, a.PID(), dir) })
	t.run("ends when it is told to", func(t runner) { checkStop(ctx, t, a) })
}

// checkDescribe holds what is pinned, which comes from -describe, to what the
// process says.
func checkDescribe(ctx context.Context, t runner, a *process, p Process) {
	cmd := exec.CommandContext(ctx, p.Path, append(append([]string{}, p.Args...), "-describe")...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("-describe: %v", err)
	}
	var info sdk.Info
	if err := json.Unmarshal(out, &info); err != nil {
		t.Fatalf("-describe prints no description: %v", err)
	}
	said := a.Describe()
	if !bytes.Equal(plain(info), plain(said)) {
		t.Errorf("-describe and the running process differ:\n%s", difference(plain(info), plain(said)))
	}
}

// defaultConcurrency is what Info.Concurrency means when it is zero; a running
// process says so itself.
const defaultConcurrency = 64

func plain(info sdk.Info) []byte {
	info.Concurrency = cmp.Or(info.Concurrency, defaultConcurrency)
	raw, _ := json.Marshal(info) // it came out of a decoder
	return raw
}

// largeBody is over the limit of one message on a stream, and what a call by
// itself must take.
const largeBody = 5 << 20

func checkLarge(ctx context.Context, t runner, a *process) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	r := newRequest("", append(append([]byte(`{"title":"`), bytes.Repeat([]byte("x"), largeBody)...), `"}`...))
	_, err := a.Adapt(ctx, r)
	if failure, ok := errors.AsType[*sdk.Failure](err); err != nil && (!ok || !failure.RequestFault()) {
		t.Errorf("a body of %d bytes: %v", largeBody, err)
	}
}

// checkSettings configures and releases integrations often: what a reload
// leaves behind would add up.
func checkSettings(ctx context.Context, t runner, a *process) {
	before := openFiles(a.PID())
	for i := range 200 {
		name := fmt.Sprintf("%s/passing-%d", a.Describe().Type, i)
		if err := a.Configure(ctx, name, json.RawMessage("{}")); err != nil {
			t.Fatalf("configure: %v", err)
		}
		if err := a.Release(ctx, name); err != nil {
			t.Fatalf("release: %v", err)
		}
	}
	if after := openFiles(a.PID()); after > before+8 {
		t.Errorf("%d open files before 200 integrations came and went, %d after", before, after)
	}
}

// checkTraces looks for what an adapter has no business with. Where there is
// no /proc, files are all that is looked for.
func checkTraces(t runner, pid int, dir string) {
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, file := range left {
		t.Errorf("the process wrote %s", filepath.Join("$HOME", file.Name()))
	}
	ours := map[string]bool{} // what a shell has left open to us, and so to the process
	for _, file := range descriptors(os.Getpid()) {
		ours[file.path] = true
	}
	for _, file := range descriptors(pid) {
		if file.writable && filepath.IsAbs(file.path) && !strings.HasPrefix(file.path, "/dev/") && !ours[file.path] {
			t.Errorf("the process has %s open for writing", file.path)
		}
		if file.network != "" {
			t.Errorf("the process has a %s socket", file.network)
		}
	}
}

func checkStop(ctx context.Context, t runner, a *process) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	a.Stop(ctx)
	if exit := a.Exit(); exit.Killed {
		t.Errorf("the process went on after Shutdown and SIGTERM, and had to be killed")
	}
}
