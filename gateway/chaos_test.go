package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bellcrank.example/gateway/gatewaytest"
)

// buildChaos makes a folder with the gateway, the custom adapter, which is the
// neighbour, and the bad plugins.
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
	mustRun(t, "go", "build", "-o", filepath.Join(plugins, "chaos"), "../core/pluginhost/chaos")
	mustRun(t, "go", "build", "-o", filepath.Join(plugins, "liar"), "../core/pluginhost/liar")
	mustRun(t, filepath.Join(dir, "bellcrank"), "plugin", "lock", "-manifest", plugins)
	return dir
}

func mustRun(t *testing.T, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
}

// chaosStack is a gateway with bad plugins beside a good one.
type chaosStack struct {
	*stack
	home      string // of the gateway's executable
	directory string // of the plugins that came later
}

// newChaosStack runs a gateway with these plugins beside a good one.
func newChaosStack(t *testing.T, evils []evil) *chaosStack {
	t.Helper()
	s := &chaosStack{stack: &stack{t: t, dir: t.TempDir(), ingest: gatewaytest.FreeAddress(t), admin: gatewaytest.FreeAddress(t), sink: newSink(t)}}
	s.home, s.directory = buildChaos(t), s.file("plugins")
	s.configure(evils)
	for i, e := range evils {
		if e.spoil != nil {
			s.install(versionOf(i, e))
		}
	}
	s.lock()
	for i, e := range evils {
		if e.spoil == nil {
			continue
		}
		if err := e.spoil(s.executable(versionOf(i, e))); err != nil {
			t.Fatal(err)
		}
	}
	s.configure(evils) // what is spoilt may be pinned so
	s.serve()
	return s
}

// versionOf is the version of an evil's executable: the one that was built
// along, unless it has a copy of its own.
func versionOf(i int, e evil) string {
	if e.spoil == nil {
		return "1.0.0"
	}
	return fmt.Sprint("1.1.", i)
}

// executable is that of the chaos plugin of a version.
func (s *chaosStack) executable(version string) string {
	return filepath.Join(s.directory, "chaos", version, "chaos")
}

// install puts a version of the chaos plugin into the plugin directory.
func (s *chaosStack) install(version string) {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.home, "plugins", "chaos"))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(s.executable(version)), 0o755)
	}
	if err == nil {
		err = os.WriteFile(s.executable(version), content, 0o755)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// lock pins what is installed, if anything is.
func (s *chaosStack) lock() {
	s.t.Helper()
	if _, err := os.Stat(s.directory); err == nil {
		mustRun(s.t, filepath.Join(s.home, "bellcrank"), "plugin", "lock", "-config", s.file("gateway.hcl"))
	}
}

// configure writes the configuration.
func (s *chaosStack) configure(evils []evil) {
	s.t.Helper()
	var blocks strings.Builder
	for i, e := range evils {
		version, more := versionOf(i, e), e.more
		if e.pinned {
			content, err := os.ReadFile(s.executable(version))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				s.t.Fatal(err)
			}
			more = fmt.Sprintf("sha256 = %q", fmt.Sprintf("%x", sha256.Sum256(content)))
		}
		fmt.Fprintf(&blocks, `
plugin %q {
  type    = %q
  version = %q
  env     = { START = %q }
  %s
  limits {
    timeout   = %q
    memory    = %q
    processor = %q
  }
}
integration %q %q {
  plugin = plugin.%s
  routing_key "test" {
    value = %q
  }
}
`, "bad-"+e.name, e.adapter(), version, e.env, more, e.patience(), cmp.Or(e.memory, "256MiB"), e.processor(),
			e.adapter(), e.name, "bad-"+e.name, chaosKey(e.name))
	}
	text := fmt.Sprintf(chaosConfiguration, filepath.Join(s.dir, "data"), s.directory, s.ingest, s.admin, chaosKey("neighbour"), s.sink.url, blocks.String())
	if err := os.WriteFile(s.file("gateway.hcl"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// serve runs the gateway and returns when it is ready, whatever its plugins
// are.
func (s *chaosStack) serve() {
	s.t.Helper()
	log, err := os.Create(s.file("log"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(filepath.Join(s.home, "bellcrank"), "serve", "-config", s.file("gateway.hcl"))
	s.cmd.Env = s.environment()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.stop)
	s.eventually("the gateway is ready", 60*time.Second, func() bool {
		response, err := http.Get("http://" + s.admin + "/readyz")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

const chaosConfiguration = `
data_dir         = %q
plugin_directory = %q

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
		s.eventually(fmt.Sprintf("the request of %s is %s", e.name, e.ends), 300*time.Second, func() bool {
			states := s.stateOf(e.adapter() + "/" + e.name)
			return len(states) == 1 && states[0] == e.ends
		})
	}
	for _, e := range evils {
		s.eventually("somebody hears of "+e.name, 300*time.Second, func() bool { return s.heardOf(e) != "" })
	}
	if got := s.heardOf(evil{name: "lies"}); !strings.Contains(got, "evil lies") {
		t.Errorf("of the lies there is %q, not the good one", got)
	}
	s.explainsItself()
	// What was garbage goes back to the system by and by.
	s.eventually("the gateway's memory has grown by less than 64 MiB", 300*time.Second, func() bool {
		return residentMiB(t, s.cmd.Process.Pid)-before < 64
	})
	t.Logf("the gateway's memory grew by %d MiB", residentMiB(t, s.cmd.Process.Pid)-before)
	neighbours()
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

// heardOf lists the titles of what an operator hears of an evil.
func (s *stack) heardOf(e evil) string {
	s.t.Helper()
	var list struct {
		Incidents []struct {
			Title string `json:"title"`
		} `json:"incidents"`
	}
	s.get("/v1/incidents?integration="+url.QueryEscape(e.adapter()+"/"+e.name), &list)
	var titles []string
	for _, in := range list.Incidents {
		titles = append(titles, in.Title)
	}
	return strings.Join(titles, "|")
}

// explainsItself checks that whoever lists the plugins sees why one doesn't
// run.
func (s *stack) explainsItself() {
	s.t.Helper()
	var answer struct {
		Plugins []struct {
			Name      string `json:"name"`
			PID       int    `json:"pid"`
			LastError string `json:"last_error"`
		} `json:"plugins"`
	}
	s.get("/v1/plugins", &answer)
	for _, p := range answer.Plugins {
		i := slices.IndexFunc(evils, func(e evil) bool { return "bad-"+e.name == p.Name })
		if i < 0 || evils[i].spoil == nil {
			continue
		}
		if p.PID != 0 || p.LastError == "" || !strings.Contains(p.LastError, evils[i].says) {
			s.t.Errorf("%s: pid %d, error %q; want no process and an error that says %q", p.Name, p.PID, p.LastError, evils[i].says)
		}
	}
}

// endsWholly stops the gateway, which takes every process along. One that
// takes longer than it may says so by its exit status.
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
	for _, pid := range below {
		s.eventually(fmt.Sprintf("process %d is gone", pid), 10*time.Second, func() bool { return gone(pid) })
	}
}
