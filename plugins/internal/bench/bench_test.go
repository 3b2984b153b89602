//go:build linux

package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

const (
	// connections is how many senders there are, and turn how long a way is
	// under load in each round.
	connections = 64
	turn        = 700 * time.Millisecond
	// calm is how many requests a single sender makes.
	calm = 100 * time.Millisecond
)

// The ways to an adapter. "As shipped" is how the gateway collects garbage.
const (
	bare      = "bare"
	inProcess = "in process"
	unary     = "unary"
	batch     = "batch"
	host      = "host"
	asShipped = ", GC as shipped"
)

// BenchmarkCall compares the ways to an adapter behind a Fiber handler: none,
// in process, a call of its own for each request, and what the host does. Each
// iteration is a round in which all have their turn, under the same load from
// 64 connections; the figures are medians over the rounds, the ratios those of
// one round. "Idle" is the median of a single sender. The load runs on the same
// processors.
//
// A plain adapter decodes what it needs and no more, so that a call's own cost
// shows; "slow" is the same with one request in a hundred that takes 20 ms.
func BenchmarkCall(b *testing.B) {
	built := build(b)
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	ways := []*way{
		{name: bare, path: plain, plugin: self},
		{name: inProcess, path: plain, plugin: self},
		{name: inProcess + asShipped, path: plain, plugin: self},
		{name: unary, path: plain, plugin: self},
		{name: host + asShipped, path: plain, plugin: self},
		{name: inProcess, path: slow, plugin: self},
		{name: unary, path: slow, plugin: self},
		{name: host + asShipped, path: slow, plugin: self},
		{name: inProcess, path: alertmanager, plugin: built},
		{name: inProcess + asShipped, path: alertmanager, plugin: built},
		{name: unary, path: alertmanager, plugin: built},
		{name: host + asShipped, path: alertmanager, plugin: built},
	}
	compare(b, ways)
}

// compare has each way under load in turn, and prints what came of it.
func compare(b *testing.B, ways []*way) {
	for _, w := range ways {
		w.start(b)
		w.turn(b, turn/4) // its connections, its heap
	}
	for b.Loop() {
		for _, w := range ways {
			w.turn(b, turn)
		}
	}
	b.StopTimer()
	show(b, ways)
}

// build makes the plugin as `make build` does.
func build(b *testing.B) string {
	path := filepath.Join(b.TempDir(), "alertmanager")
	out, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "bellcrank.example/plugins/alertmanager").CombinedOutput()
	if err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// way is a server under load, and what each round has shown of it.
type way struct {
	name   string
	path   string // which adapter reads the requests
	plugin string // the executable
	body   []byte // of its requests; a notification of Alertmanager's if nil

	pids   []int // of the server, and of the plugin if there is one
	busy   *load
	single *load
	rounds []round
}

type round struct {
	figures
	idle time.Duration
	cpu  []time.Duration // per request, of each process
}

func (w *way) start(b *testing.B) {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), wayEnv+"="+w.name, pluginEnv+"="+w.plugin)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		_ = command.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatalf("%s: %v", w.name, err)
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	var addr string
	var pid int
	if _, err := fmt.Sscan(line, &addr, &pid); err != nil {
		b.Fatalf("%s says %q: %v", w.name, line, err)
	}
	w.pids = []int{command.Process.Pid}
	if pid != 0 {
		w.pids = append(w.pids, pid)
	}
	w.dial(b, addr)
}

func (w *way) dial(b *testing.B, addr string) {
	body := w.body
	if body == nil {
		body = notification()
	}
	usual, rare := request(addr, w.path, body), []byte(nil)
	if w.path == slow {
		usual, rare = request(addr, plain, body), usual
	}
	sent := 0
	next := func() []byte {
		if sent++; rare != nil && sent%100 == 0 {
			return rare
		}
		return usual
	}
	for connections, to := range map[int]**load{1: &w.single, connections: &w.busy} {
		l, err := dialLoad(addr, connections, next)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(l.close)
		*to = l
	}
}

// request is what a sender writes to its connection.
func request(addr, path string, body []byte) []byte {
	return fmt.Appendf(nil, "POST /webhooks/%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Alertmanager/0.34.2\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\n\r\n%s", path, addr, len(body), body)
}

// notification is one of two alerts, in about 1,500 bytes.
func notification() []byte {
	alert := func(status, instance, fingerprint string) string {
		return fmt.Sprintf(`{"status":%q,"fingerprint":%q,"startsAt":"2026-11-24T10:00:00Z","endsAt":"0001-01-01T00:00:00Z",`+
			`"generatorURL":"https://prometheus.example/graph?g0.expr=up+%%3D%%3D+0","labels":{"alertname":"TargetDown","severity":"critical",`+
			`"cluster":"eu-1","namespace":"shop","job":"checkout","instance":%q,"team":"payments"},"annotations":`+
			`{"summary":"checkout is down on %s","description":%q,"runbook_url":"https://wiki.example/runbooks/target-down"}}`,
			status, fingerprint, instance, instance, strings.Repeat("none of the last scrapes had an answer; ", 3))
	}
	return []byte(`{"version":"4","groupKey":"{}:{alertname=\"TargetDown\"}","truncatedAlerts":0,"status":"firing","receiver":"gateway",` +
		`"groupLabels":{"alertname":"TargetDown"},"commonLabels":{"alertname":"TargetDown","severity":"critical","job":"checkout"},` +
		`"commonAnnotations":{},"externalURL":"https://alertmanager.example","alerts":[` +
		alert("firing", "10.1.2.3:9090", "c0ffee0000000001") + "," + alert("resolved", "10.1.2.4:9090", "c0ffee0000000002") + `]}`)
}

// turn puts the way under load.
func (w *way) turn(b *testing.B, during time.Duration) {
	idle, err := w.single.run(calm)
	if err != nil {
		b.Fatalf("%s: %v", w.name, err)
	}
	before := w.processorTime(b)
	busy, err := w.busy.run(during)
	if err != nil {
		b.Fatalf("%s: %v", w.name, err)
	}
	r := round{figures: busy, idle: idle.p50}
	for i, used := range w.processorTime(b) {
		r.cpu = append(r.cpu, (used-before[i])/time.Duration(len(w.busy.took)))
	}
	if during == turn {
		w.rounds = append(w.rounds, r)
	}
}

// processorTime is the time that each process has used so far, in steps of 10 ms.
func (w *way) processorTime(b *testing.B) []time.Duration {
	var used []time.Duration
	for _, pid := range w.pids {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		var ticks int64
		for _, field := range strings.Fields(rest)[11:13] { // utime and stime
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			ticks += n
		}
		used = append(used, time.Duration(ticks)*10*time.Millisecond)
	}
	return used
}

// show prints the ways side by side.
func show(b *testing.B, ways []*way) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\treq/s\tratio\tp50 ms\tp99 ms\tidle p50 ms\tserver µs/req\tplugin µs/req\t")
	for _, w := range ways {
		name := w.path + ": " + w.name
		ratioTo := func(names ...string) float64 {
			at := slices.IndexFunc(ways, func(o *way) bool { return o.path == w.path && slices.Contains(names, o.name) })
			if at < 0 {
				return 0
			}
			return median(b, w.rounds, func(i int) float64 { return w.rounds[i].rate / ways[at].rounds[i].rate })
		}
		ratio := ratioTo(inProcess, unary)
		column := func(of func(round) float64) float64 {
			return median(b, w.rounds, func(i int) float64 { return of(w.rounds[i]) })
		}
		ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
		fmt.Fprintf(table, "%s\t%.0f\t%.2f\t%.2f\t%.2f\t%.3f\t%.1f\t", name, column(func(r round) float64 { return r.rate }), ratio,
			column(func(r round) float64 { return ms(r.p50) }), column(func(r round) float64 { return ms(r.p99) }),
			column(func(r round) float64 { return ms(r.idle) }), column(func(r round) float64 { return 1000 * ms(r.cpu[0]) }))
		if len(w.pids) > 1 {
			fmt.Fprintf(table, "%.1f", column(func(r round) float64 { return 1000 * ms(r.cpu[1]) }))
		}
		fmt.Fprintln(table, "\t")
		if w.name == host+asShipped || w.name == batch {
			b.ReportMetric(ratio, w.path+"-ratio")
		}
		if same := ratioTo(inProcess + asShipped); same > 0 && w.name == host+asShipped {
			b.ReportMetric(same, w.path+"-same-GC-ratio")
		}
	}
	table.Flush()
	fmt.Printf("\n%d rounds\n%s", b.N, text.String())
}

// median of a figure of the rounds.
func median(b *testing.B, rounds []round, of func(i int) float64) float64 {
	b.Helper()
	all := make([]float64, len(rounds))
	for i := range rounds {
		all[i] = of(i)
	}
	slices.Sort(all)
	return all[len(all)/2]
}
