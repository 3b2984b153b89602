package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// evil is a plugin of its own that does one evil thing.
type evil struct {
	name string
	do   string // at a call
	env  string // at the start
	more string // of its plugin block
	// ends is the state in which its request ends; empty: it stays open, for
	// its plugin never serves.
	ends string
}

// patience is how long its calls may take: what can't end shall fail soon, and
// what can has time for it on a busy machine.
func (e evil) patience() string {
	if e.ends == "done" {
		return "30s"
	}
	return "1s"
}

// evils are what plugins do wrong. A request that never gets an answer is
// quarantined; what is found out in an answer costs no more than that answer.
var evils = []evil{
	{name: "crash", do: "crash", ends: "quarantined"},
	{name: "exit-0", do: "exit 0", ends: "quarantined"},
	{name: "late-crash", do: "crash after the answer", ends: "done"},
	{name: "panic", do: "panic elsewhere", ends: "quarantined"},
	{name: "sleep", do: "sleep", ends: "quarantined"},
	{name: "spin", do: "spin", ends: "quarantined"},
	{name: "stop", do: "stop", ends: "quarantined"},
	{name: "leak", do: "leak", ends: "quarantined"},
	{name: "descriptors", do: "descriptors", ends: "done"},
	{name: "huge", do: "huge answer"}, // five tries take minutes
	{name: "many", do: "many events", ends: "quarantined"},
	{name: "lies", do: "lies", ends: "done"},
	{name: "nothing", do: "nothing"}, // the same
	{name: "flood", do: "flood", ends: "done"},
	{name: "grandchild", do: "grandchild", more: `sandbox = "off"`, ends: "quarantined"},
	{name: "deaf", env: "deaf", ends: "done"},
	{name: "start-crash", env: "crash"},
	{name: "start-exit-0", env: "exit 0"},
	{name: "start-hang", env: "hang"},
	{name: "start-noise", env: "noise"},
	{name: "start-long", env: "long"},
	{name: "start-protocol", env: "protocol"},
	{name: "start-netrpc", env: "netrpc"},
}

// buildChaos makes a folder with the gateway, the custom adapter, which is the
// neighbour, and the chaos plugin.
func buildChaos(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	plugins := filepath.Join(dir, "plugins")
	if err := os.Mkdir(plugins, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bellcrank", "plugins/custom"} {
		if err := os.Link(filepath.Join(bin, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range [][]string{
		{"go", "build", "-o", filepath.Join(plugins, "chaos"), "../core/pluginhost/chaos"},
		{filepath.Join(dir, "bellcrank"), "plugin", "lock", "-manifest", plugins},
	} {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	return dir
}

// newChaosStack runs a gateway with these plugins beside a good one.
func newChaosStack(t *testing.T, evils []evil) *stack {
	t.Helper()
	s := &stack{t: t, dir: t.TempDir(), ingest: freeAddress(t), admin: freeAddress(t), sink: newSink(t)}
	var blocks strings.Builder
	for _, e := range evils {
		fmt.Fprintf(&blocks, `
plugin %q {
  type = "chaos"
  env  = { START = %q }
  %s
  limits {
    timeout = %q
    memory  = "256MiB"
  }
}
integration "chaos" %q {
  plugin = plugin.%s
  routing_key "test" {
    value = %q
  }
}
`, "bad-"+e.name, e.env, e.more, e.patience(), e.name, "bad-"+e.name, chaosKey(e.name))
	}
	text := fmt.Sprintf(chaosConfiguration, filepath.Join(s.dir, "data"), s.ingest, s.admin, chaosKey("neighbour"), s.sink.url, blocks.String())
	if err := os.WriteFile(s.file("gateway.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(s.file("log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(filepath.Join(buildChaos(t), "bellcrank"), "serve", "-config", s.file("gateway.hcl"))
	s.cmd.Env = s.environment()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	s.eventually("the gateway is ready", 60*time.Second, func() bool {
		response, err := http.Get("http://" + s.admin + "/readyz")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return s
}

const chaosConfiguration = `
data_dir = %q

listener "ingest" {
  address = %q
}
listener "admin" {
  address = %q
}
integration "custom" "neighbour" {
  routing_key "test" {
    value = %q
  }
}
destination "webhook" "sink" {
  notify        = true
  allowed_cidrs = ["127.0.0.0/8"]
  settings {
    url             = %q
    signing_secrets = [env("SINK_SECRET")]
  }
}
route "all" {
  to = [destination.webhook.sink]
}
%s`

func chaosKey(name string) string { return "test-key-of-chaos-" + name + "-plugin" }

// send posts a body, and fails the test unless the answer is a 2xx.
func (s *stack) send(key string, body any) answer {
	content, err := json.Marshal(body)
	if err != nil {
		s.t.Error(err)
		return answer{}
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+s.ingest+"/webhooks/"+key, bytes.NewReader(content))
	if err != nil {
		s.t.Error(err)
		return answer{}
	}
	response, err := client.Do(request)
	if err != nil {
		s.t.Errorf("post: %v", err)
		return answer{}
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	a := answer{Status: response.StatusCode, Body: string(raw)}
	if err == nil {
		err = json.Unmarshal(raw, &a)
	}
	if err != nil || a.Status < 200 || a.Status > 299 {
		s.t.Errorf("answer %d %s (%v), want a 2xx", a.Status, a.Body, err)
	}
	return a
}

// stateOf returns the states of an integration's requests.
func (s *stack) stateOf(integration string) (states []string) {
	var list struct {
		Requests []struct {
			State string `json:"state"`
		} `json:"requests"`
	}
	s.get("/v1/requests?integration="+url.QueryEscape(integration), &list)
	for _, r := range list.Requests {
		states = append(states, r.State)
	}
	return states
}

// residentMiB is a process's memory.
func residentMiB(t *testing.T, pid int) int {
	t.Helper()
	content, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(content), "VmRSS:")
	fields := strings.Fields(rest)
	kib, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}

// descendants lists the processes below one.
func descendants(pid int) (pids []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		content, _ := os.ReadFile(file) // a thread may have ended
		for word := range strings.FieldsSeq(string(content)) {
			if child, err := strconv.Atoi(word); err == nil {
				pids = append(append(pids, child), descendants(child)...)
			}
		}
	}
	return pids
}

func TestNoPluginBreaksTheGateway(t *testing.T) {
	s := newChaosStack(t, evils)
	for i := range 50 {
		s.send(chaosKey("neighbour"), map[string]any{"title": "warm", "dedup_key": fmt.Sprint("warm-", i)})
	}
	before := residentMiB(t, s.cmd.Process.Pid)
	neighbours := s.steadily(func(n int) {
		s.send(chaosKey("neighbour"), map[string]any{"title": "neighbour", "dedup_key": fmt.Sprint("n-", n%10)})
	})
	for _, e := range evils {
		s.send(chaosKey(e.name), map[string]any{"do": e.do, "title": "evil " + e.name, "key": e.name})
	}
	for _, e := range evils {
		if e.ends == "" {
			continue
		}
		s.eventually(fmt.Sprintf("the request of %s is %s", e.name, e.ends), 120*time.Second, func() bool {
			states := s.stateOf("chaos/" + e.name)
			return len(states) == 1 && states[0] == e.ends
		})
	}
	// What was garbage goes back to the system by and by.
	s.eventually("the gateway's memory has grown by less than 64 MiB", 120*time.Second, func() bool {
		return residentMiB(t, s.cmd.Process.Pid)-before < 64
	})
	t.Logf("the gateway's memory grew by %d MiB", residentMiB(t, s.cmd.Process.Pid)-before)
	neighbours()
	s.tellsOfEvil()
	s.endsWholly()
}

// steadily does something over and over until the function that it returns is
// called.
func (s *stack) steadily(do func(n int)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			do(n)
			time.Sleep(5 * time.Millisecond)
		}
	})
	stop = func() { cancel(); work.Wait() }
	s.t.Cleanup(stop) // should the test end early
	return stop
}

// tellsOfEvil checks what an operator sees: each quarantined request has a
// fallback incident, and what was good among lies came through.
func (s *stack) tellsOfEvil() {
	s.t.Helper()
	incidents := all[struct {
		Integration string `json:"integration"`
		Title       string `json:"title"`
	}](s, "incidents")
	titles := map[string][]string{}
	for _, in := range incidents {
		titles[in.Integration] = append(titles[in.Integration], in.Title)
	}
	for _, e := range evils {
		if got := titles["chaos/"+e.name]; e.ends != "" && len(got) == 0 {
			s.t.Errorf("nobody hears of %s", e.name)
		}
	}
	if got := titles["chaos/lies"]; !strings.Contains(strings.Join(got, "|"), "evil lies") {
		s.t.Errorf("of the lies there is %q, not the good one", got)
	}
}

// endsWholly stops the gateway, which takes every process along.
func (s *stack) endsWholly() {
	s.t.Helper()
	below := descendants(s.cmd.Process.Pid)
	if len(below) == 0 {
		s.t.Error("no plugin runs")
	}
	began := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("the gateway ended with %v", err)
	}
	s.t.Logf("stopped within %v", time.Since(began))
	if took := time.Since(began); took > 22*time.Second {
		s.t.Errorf("stopping took %v", took)
	}
	for _, pid := range below {
		s.eventually(fmt.Sprintf("process %d is gone", pid), 10*time.Second, func() bool { return gone(pid) })
	}
}

// TestSwapsUnderLoadChangeNoIncident goes back and forth between two pinned
// versions while requests come in.
func TestSwapsUnderLoadChangeNoIncident(t *testing.T) {
	s := newChaosStack(t, nil)
	directory := filepath.Join(s.dir, "plugins")
	for _, version := range []string{"1.0.0", "2.0.0"} {
		build := exec.Command("go", "build", "-ldflags", "-X main.version="+version,
			"-o", filepath.Join(directory, "chaos", version, "chaos"), "../core/pluginhost/chaos")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	text, err := os.ReadFile(s.file("gateway.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Appendf(text, `
plugin_directory = %q
plugin "chaos" {
  version = "1.0.0"
}
integration "chaos" "swapped" {
  routing_key "test" {
    value = %q
  }
}
`, directory, chaosKey("swapped"))
	if err := os.WriteFile(s.file("gateway.hcl"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.cli("plugin", "lock", "-config", s.file("gateway.hcl"))
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.eventually("the plugin serves", 60*time.Second, func() bool { return s.plugins()["chaos"] != 0 })

	sent := 0
	stop := s.steadily(func(n int) {
		s.send(chaosKey("swapped"), map[string]any{"title": "swapped under", "key": fmt.Sprint("s-", n)})
		sent = n + 1
	})
	for range 5 {
		if out := s.cli("plugin", "swap", "chaos", "2.0.0"); !strings.Contains(out, "chaos 2.0.0 is ready") {
			t.Errorf("swap says %q", out)
		}
		if out := s.cli("plugin", "rollback", "chaos"); !strings.Contains(out, "chaos 1.0.0 is ready") {
			t.Errorf("rollback says %q", out)
		}
	}
	stop()
	s.settled(60 * time.Second)
	seen := map[string]int{}
	for _, in := range all[incident](s, "incidents") {
		seen[in.DedupKey] += in.Count
	}
	for n := range sent {
		if key := fmt.Sprint("s-", n); seen[key] != 1 {
			t.Errorf("%s happened %d times, want once", key, seen[key])
		}
	}
	t.Logf("%d requests over ten swaps", sent)
	s.differs("chaos", "2.0.0", `events[0].labels.version`, `"1.0.0"`, `"2.0.0"`)
}

// differs checks what plugin diff says of two versions that aren't the same.
func (s *stack) differs(kind, version string, wants ...string) {
	s.t.Helper()
	token, err := os.ReadFile(s.file("data/admin.token"))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "bellcrank"), "plugin", "diff", "-config", s.file("gateway.hcl"), "-last", "20", kind, version)
	cmd.Env = append(s.environment(), "BELLCRANK_TOKEN="+strings.TrimSpace(string(token)))
	out, _ := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); code != 3 {
		s.t.Errorf("diff exits with %d, want 3: %s", code, out)
	}
	for _, want := range append(wants, "20 requests, 20 of them different") {
		if !strings.Contains(string(out), want) {
			s.t.Errorf("diff doesn't say %s:\n%s", want, out)
		}
	}
}

func TestKillsUnderLoadLoseNothing(t *testing.T) {
	const kills = 100
	s := newChaosStack(t, []evil{{name: "victim"}})
	var sent sync.Map
	stop := s.steadily(func(n int) {
		key := fmt.Sprint("k-", n)
		s.send(chaosKey("victim"), map[string]any{"title": "under fire", "key": key})
		sent.Store(key, true)
	})
	victim := func() int { return s.plugins()["chaos"] } // 0 while there is none
	slowest := time.Duration(0)
	for range kills {
		var pid int
		s.eventually("the victim serves", 30*time.Second, func() bool { pid = victim(); return pid != 0 })
		time.Sleep(20 * time.Millisecond) // let it answer, which earns it a start without a wait
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed := time.Now()
		s.eventually("another process serves", 30*time.Second, func() bool { now := victim(); return now != 0 && now != pid })
		slowest = max(slowest, time.Since(killed))
	}
	t.Logf("%d kills, back in service after %v at the longest", kills, slowest)
	stop()
	s.settled(60 * time.Second)
	seen := map[string]int{}
	for _, in := range all[incident](s, "incidents") {
		seen[in.DedupKey]++
	}
	sent.Range(func(key, _ any) bool {
		if n := seen[key.(string)]; n != 1 {
			t.Errorf("%v has %d incidents, want 1", key, n)
		}
		return true
	})
	s.endsWholly()
}
