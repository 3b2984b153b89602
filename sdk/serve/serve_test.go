package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire"
	"bellcrank.example/sdk/internal/wire/adapterv1"
)

// asPlugin makes the test's executable a plugin: the tests start it as the
// gateway would.
const asPlugin = "TEST_AS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(asPlugin) != "" && printed {
		Adapter(&obedient{})
		return
	}
	goleak.VerifyTestMain(m)
}

// printed notices what a careless library prints while packages initialise.
// The guard comes first, as it does in a package that imports this one.
var printed = func(*os.File) bool {
	if os.Getenv(asPlugin) != "" {
		fmt.Println("printed while starting")
	}
	return true
}(handshake)

// obedient does what a request's body says.
type obedient struct{ active, most atomic.Int64 }

// Describe prints: it must not spoil the handshake.
func (*obedient) Describe() sdk.Info {
	fmt.Println("printed by Describe")
	return sdk.Info{Type: "obedient", Name: "Obedient", Version: "1.2.3", Concurrency: 4}
}

func (o *obedient) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	for active := o.active.Add(1); ; {
		if most := o.most.Load(); most >= active || o.most.CompareAndSwap(most, active) {
			break
		}
	}
	defer o.active.Add(-1)
	do, argument, _ := strings.Cut(string(r.Body[:min(len(r.Body), 64)]), " ")
	switch do {
	case "print":
		fmt.Println("printed by Adapt")
	case "panic":
		panic("as told")
	case "leave":
		runtime.Goexit()
	case "fail":
		return sdk.Result{}, errors.New("as told")
	case "refuse":
		return sdk.Result{}, fmt.Errorf("wrapped: %w", &sdk.Failure{Code: sdk.Malformed, Path: "a", Message: "no"})
	case "wait":
		<-ctx.Done()
		return sdk.Result{}, ctx.Err()
	case "sleep":
		d, err := time.ParseDuration(argument)
		if err != nil {
			return sdk.Result{}, err
		}
		time.Sleep(d)
	case "big":
		return sdk.Result{Ignored: strings.Repeat("x", 5<<20)}, nil
	case "most":
		return sdk.Result{Ignored: fmt.Sprint(o.most.Load())}, nil
	case "settings":
		return sdk.Result{Ignored: string(r.Settings)}, nil
	}
	return sdk.Result{Ignored: fmt.Sprint(len(r.Body))}, nil
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// process is a plugin process as the gateway sees it.
type process struct {
	*exec.Cmd
	stdout   *bufio.Reader
	stderr   *bytes.Buffer
	lifeline *os.File
	conn     *grpc.ClientConn
	ended    chan error
}

// start runs this executable as a plugin and connects to it.
func start(t *testing.T) *process {
	t.Helper()
	dir, err := os.MkdirTemp("", "serve") // a test's own folder may be too deep for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &process{Cmd: exec.Command(os.Args[0]), stderr: new(bytes.Buffer), ended: make(chan error, 1)}
	p.Env = []string{
		asPlugin + "=1", wire.CookieKey + "=" + wire.CookieValue, wire.LifelineEnv + "=3",
		"PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR=" + dir,
	}
	p.Stderr = p.stderr
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lifeline = write
	p.ExtraFiles = []*os.File{read}
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	read.Close()
	p.stdout = bufio.NewReader(stdout)
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("read handshake: %v", err)
	}
	go func() { p.ended <- p.Wait() }()
	t.Cleanup(func() {
		p.Process.Kill()
		write.Close()
	})
	fields := strings.Split(strings.TrimSpace(line), "|")
	if len(fields) < 5 || !slices.Equal(fields[:3], []string{"1", "1", "unix"}) || fields[4] != "grpc" {
		t.Fatalf("handshake = %q, want 1|1|unix|SOCKET|grpc|", line)
	}
	p.conn, err = grpc.NewClient("unix:"+fields[3], grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxAnswer)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.conn.Close() })
	return p
}

// log is what the process printed; it may be asked for once it has ended.
func (p *process) log(t *testing.T) string {
	t.Helper()
	p.Process.Kill()
	p.wait(t)
	return p.stderr.String()
}

func (p *process) wait(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
		p.ended <- nil
	case <-time.After(patience):
		t.Fatal("the process doesn't end")
	}
}

func (p *process) adapt(t *testing.T, body string) *adapterv1.AdaptResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answer, err := adapterv1.NewAdapterClient(p.conn).Adapt(ctx, &adapterv1.AdaptRequest{Call: 7, Id: "r", Body: []byte(body)})
	if err != nil {
		t.Fatalf("adapt %.20q: %v", body, err)
	}
	if answer.GetCall() != 7 || answer.GetId() != "r" {
		t.Errorf("answer is for call %d of %q, want 7 of r", answer.GetCall(), answer.GetId())
	}
	return answer
}

func (p *process) exchange(t *testing.T) adapterv1.Adapter_ExchangeClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	stream, err := adapterv1.NewAdapterClient(p.conn).Exchange(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func send(t *testing.T, stream adapterv1.Adapter_ExchangeClient, call uint64, body string) {
	t.Helper()
	if err := stream.Send(&adapterv1.AdaptRequest{Call: call, Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, stream adapterv1.Adapter_ExchangeClient) *adapterv1.AdaptResponse {
	t.Helper()
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestStdoutHasTheHandshakeAndNothingElse(t *testing.T) {
	p := start(t)
	p.adapt(t, "print")
	log := p.log(t)
	if rest, _ := p.stdout.ReadString(0); rest != "" {
		t.Errorf("stdout goes on with %q, want nothing", rest)
	}
	for _, want := range []string{"printed while starting", "printed by Describe", "printed by Adapt"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q: %q", want, log)
		}
	}
}

func TestAPersonLearnsWhatTheExecutableIs(t *testing.T) {
	c := exec.Command(os.Args[0])
	c.Env = []string{asPlugin + "=1"}
	out, err := c.CombinedOutput()
	if !strings.Contains(string(out), "Obedient adapter 1.2.3") || c.ProcessState.ExitCode() != 2 {
		t.Errorf("run by hand: %q, %v; want a word on what it is and exit code 2", out, err)
	}
}

func TestDescribePrintsTheDescription(t *testing.T) {
	var output bytes.Buffer
	want := (&obedient{}).Describe()
	if err := describe(&output, want); err != nil {
		t.Fatal(err)
	}
	var got sdk.Info
	if err := json.Unmarshal(output.Bytes(), &got); err != nil || got.Type != want.Type || got.Version != want.Version {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	answer, err := adapterv1.NewPluginClient(start(t).conn).Describe(t.Context(), &adapterv1.DescribeRequest{})
	if err != nil || json.Unmarshal(answer.GetInfoJson(), &got) != nil || got.Name != want.Name ||
		!wire.HasCapability(answer, wire.CapabilityExchange) {
		t.Errorf("Describe = %v, %v; want %+v and the exchange capability", answer, err, want)
	}
}

func TestFailuresSayWhoseFaultItIs(t *testing.T) {
	p := start(t)
	tests := map[string]struct {
		body    string
		code    adapterv1.FailureCode
		message string
	}{
		"the request's fault":    {"refuse", adapterv1.FailureCode_FAILURE_CODE_MALFORMED, "no"},
		"an error is the own":    {"fail", adapterv1.FailureCode_FAILURE_CODE_INTERNAL, "as told"},
		"a panic is the own":     {"panic", adapterv1.FailureCode_FAILURE_CODE_INTERNAL, "the adapter panicked: as told"},
		"so is leaving for good": {"leave", adapterv1.FailureCode_FAILURE_CODE_INTERNAL, "the adapter ended its goroutine"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, via := range []string{"adapt", "exchange"} {
				var answer *adapterv1.AdaptResponse
				if via == "adapt" {
					answer = p.adapt(t, tt.body)
				} else {
					stream := p.exchange(t)
					send(t, stream, 1, tt.body)
					answer = receive(t, stream)
				}
				if got := answer.GetFailure(); got.GetCode() != tt.code || got.GetMessage() != tt.message {
					t.Errorf("%s: got %v, want %s %q", via, answer, tt.code, tt.message)
				}
			}
		})
	}
	if got := p.adapt(t, "still here").GetResult().GetIgnored(); got != "10" {
		t.Errorf("after all that: %q, want an answer", got)
	}
	if log := p.log(t); !strings.Contains(log, "panic in request") || !strings.Contains(log, "obedient).Adapt") {
		t.Errorf("the log has no stack: %q", log)
	}
}

func TestASlowRequestHoldsUpNobody(t *testing.T) {
	stream := start(t).exchange(t)
	send(t, stream, 1, "sleep 300ms")
	send(t, stream, 2, "quick")
	var order []uint64
	for range 2 {
		order = append(order, receive(t, stream).GetCall())
	}
	if !slices.Equal(order, []uint64{2, 1}) {
		t.Errorf("answers in the order %v, want 2 before 1", order)
	}
}

func TestNoMoreCallsAtOnceThanDeclared(t *testing.T) {
	p := start(t)
	stream := p.exchange(t)
	const calls = 20
	for call := range uint64(calls) {
		body := "sleep 5ms"
		if call%3 == 0 {
			body = "leave" // it must not take a place with it
		}
		send(t, stream, call, body)
	}
	for range calls {
		receive(t, stream)
	}
	if got := p.adapt(t, "most").GetResult().GetIgnored(); got != "4" {
		t.Errorf("%s calls at once, want 4", got)
	}
}

func TestALargeAnswerGoesOutsideTheStream(t *testing.T) {
	p := start(t)
	stream := p.exchange(t)
	send(t, stream, 1, "big")
	if f := receive(t, stream).GetFailure(); f.GetCode() != adapterv1.FailureCode_FAILURE_CODE_TOO_LARGE || !f.GetOversize() {
		t.Errorf("on the stream: %v, want TOO_LARGE with oversize", f)
	}
	if got := len(p.adapt(t, "big").GetResult().GetIgnored()); got != 5<<20 {
		t.Errorf("by Adapt: %d bytes, want all 5 MiB", got)
	}
}

func TestTheLargestBodyIsTaken(t *testing.T) {
	body := strings.Repeat("x", wire.MaxBody)
	if got := start(t).adapt(t, body).GetResult().GetIgnored(); got != fmt.Sprint(wire.MaxBody) {
		t.Errorf("the adapter saw %s bytes, want %d", got, wire.MaxBody)
	}
}

func TestTheDeadlineIsTheContexts(t *testing.T) {
	stream := start(t).exchange(t)
	began := time.Now()
	err := stream.Send(&adapterv1.AdaptRequest{Body: []byte("wait"), DeadlineUnixNano: began.Add(50 * time.Millisecond).UnixNano()})
	if err != nil {
		t.Fatal(err)
	}
	if f := receive(t, stream).GetFailure(); f.GetCode() != adapterv1.FailureCode_FAILURE_CODE_INTERNAL || time.Since(began) > 5*time.Second {
		t.Errorf("got %v after %v, want INTERNAL at the deadline", f, time.Since(began))
	}
}

func TestSettingsTravelOnce(t *testing.T) {
	p := start(t)
	c := adapterv1.NewPluginClient(p.conn)
	settings := func() string {
		answer, err := adapterv1.NewAdapterClient(p.conn).Adapt(t.Context(), &adapterv1.AdaptRequest{Instance: "obedient/a", Body: []byte("settings")})
		if err != nil {
			t.Fatal(err)
		}
		return answer.GetResult().GetIgnored()
	}
	for _, want := range []string{`{"a":1}`, `{"a":2}`} {
		answer, err := c.Configure(t.Context(), &adapterv1.ConfigureRequest{Instance: "obedient/a", SettingsJson: []byte(want)})
		if err != nil || len(answer.GetDiagnostics()) > 0 {
			t.Fatalf("configure: %v, %v", answer, err)
		}
		if got := settings(); got != want {
			t.Errorf("settings = %q, want %q", got, want)
		}
	}
	if _, err := c.Release(t.Context(), &adapterv1.ReleaseRequest{Instance: "obedient/a"}); err != nil {
		t.Fatal(err)
	}
	if got := settings(); got != "" {
		t.Errorf("after Release: settings = %q, want none", got)
	}
	answer, err := c.Configure(t.Context(), &adapterv1.ConfigureRequest{Instance: "obedient/a", SettingsJson: []byte("{")})
	if err != nil || len(answer.GetDiagnostics()) != 1 {
		t.Errorf("broken settings: %v, %v; want one diagnostic", answer, err)
	}
}

func TestHealthIsAnswered(t *testing.T) {
	answer, err := grpc_health_v1.NewHealthClient(start(t).conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "plugin"})
	if err != nil || answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health = %v, %v; want SERVING", answer, err)
	}
}

func TestTheProcessEndsWithTheGateway(t *testing.T) {
	p := start(t)
	stream := p.exchange(t)
	send(t, stream, 1, "sleep 1h")
	began := time.Now()
	p.lifeline.Close()
	p.wait(t)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the process lived on for %v", took)
	}
}

func TestSignals(t *testing.T) {
	p := start(t)
	stream := p.exchange(t)
	send(t, stream, 1, "sleep 3s")
	send(t, stream, 2, "") // is read after the one above
	if got := receive(t, stream).GetCall(); got != 2 {
		t.Fatalf("answer to call %d, want that of call 2", got)
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, stream).GetCall(); got != 1 {
		t.Errorf("answer to call %d, want that of call 1, which was in the process", got)
	}
	p.wait(t)
	if code := p.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestShutdownEndsTheProcess(t *testing.T) {
	p := start(t)
	stream := p.exchange(t)
	send(t, stream, 1, "sleep 1h")
	send(t, stream, 2, "") // is read after the one above
	receive(t, stream)
	began := time.Now()
	_ = p.conn.Invoke(t.Context(), "/plugin.GRPCController/Shutdown", &adapterv1.DescribeRequest{}, &adapterv1.DescribeResponse{})
	p.wait(t)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the process lived on for %v", took)
	}
}
