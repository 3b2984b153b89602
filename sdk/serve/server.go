package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire"
	"bellcrank.example/sdk/internal/wire/adapterv1"
	"bellcrank.example/sdk/internal/wire/destinationv1"
)

// defaultConcurrency is how many calls an adapter takes at once if it doesn't
// say.
const defaultConcurrency = 64

// server answers the gateway's calls with an adapter.
type server struct {
	adapterv1.UnimplementedPluginServer
	adapterv1.UnimplementedAdapterServer

	adapter  sdk.Adapter
	info     sdk.Info
	stderr   *os.File
	log      *slog.Logger // to stderr, in a form that the gateway reads
	restore  sync.Once
	inFlight atomic.Int64
	grpc     atomic.Pointer[grpc.Server]
	memory   memory

	mu       sync.RWMutex
	settings map[string]json.RawMessage // by integration
}

func newServer(a sdk.Adapter, stderr *os.File) *server {
	s := &server{adapter: a, info: a.Describe(), stderr: stderr, log: slog.New(slog.NewJSONHandler(stderr, nil)), settings: map[string]json.RawMessage{}}
	if s.info.Concurrency <= 0 {
		s.info.Concurrency = defaultConcurrency
	}
	return s
}

func (s *server) grpcServer(options []grpc.ServerOption) *grpc.Server {
	g := grpc.NewServer(append(options,
		grpc.MaxRecvMsgSize(wire.MaxRequest),
		grpc.MaxSendMsgSize(wire.MaxAnswer),
		grpc.ForceServerCodecV2(wire.Codec()),
		grpc.StaticStreamWindowSize(wire.WindowSize),
		grpc.StaticConnWindowSize(wire.WindowSize),
		grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			s.restoreOutput()
			return next(ctx, request)
		}),
	)...)
	s.grpc.Store(g)
	return g
}

func (s *server) register(g *grpc.Server) {
	adapterv1.RegisterPluginServer(g, s)
	if d, ok := s.adapter.(deliverer); ok {
		destinationv1.RegisterDestinationServer(g, &destination{server: s, deliverer: d})
		return
	}
	adapterv1.RegisterAdapterServer(g, s)
}

// restoreOutput sends what the adapter prints straight to the log: through
// go-plugin's pipes the last words before a crash would be lost. The first call
// comes after go-plugin has set its pipes, so there is no race with it.
func (s *server) restoreOutput() {
	s.restore.Do(func() { os.Stdout, os.Stderr = s.stderr, s.stderr })
}

// Describe answers with the adapter's description.
func (s *server) Describe(context.Context, *adapterv1.DescribeRequest) (*adapterv1.DescribeResponse, error) {
	blob, err := json.Marshal(s.info)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "encode description: %v", err)
	}
	return &adapterv1.DescribeResponse{
		InfoJson: blob, Capabilities: s.capabilities(), ContractMinor: wire.ContractMinor, Sdk: "go",
	}, nil
}

// Configure keeps an integration's settings until the next Configure or
// Release.
func (s *server) Configure(_ context.Context, m *adapterv1.ConfigureRequest) (*adapterv1.ConfigureResponse, error) {
	settings := m.GetSettingsJson()
	if len(settings) > 0 && !json.Valid(settings) {
		return &adapterv1.ConfigureResponse{Diagnostics: []*adapterv1.Diagnostic{{Message: "the settings are not JSON"}}}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings[m.GetInstance()] = settings
	return &adapterv1.ConfigureResponse{}, nil
}

// Release forgets an integration's settings.
func (s *server) Release(_ context.Context, m *adapterv1.ReleaseRequest) (*adapterv1.ReleaseResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.settings, m.GetInstance())
	return &adapterv1.ReleaseResponse{}, nil
}

// Adapt answers one request. The adapter runs in a goroutine of its own, whose
// end, unlike this one's, can be told from an answer.
func (s *server) Adapt(ctx context.Context, m *adapterv1.AdaptRequest) (*adapterv1.AdaptResponse, error) {
	if body := len(m.GetBody()); body > wire.MaxExchangeBody {
		defer s.memory.during(body)()
	}
	answers := make(chan *adapterv1.AdaptResponse, 1)
	go answer(ctx, s, wire.ToCall(m), wire.FromAnswer, func(answer *adapterv1.AdaptResponse) { answers <- answer })
	answer := <-answers
	if size := proto.Size(answer); size > wire.MaxAnswer {
		return wire.FromAnswer(tooLarge(m.GetCall(), m.GetId(), size, wire.MaxAnswer)), nil
	}
	return answer, nil
}

// Exchange answers requests as they come, in any order, so that a slow one
// holds up nobody. It reads no further while the declared number is being
// worked on.
func (s *server) Exchange(stream grpc.BidiStreamingServer[adapterv1.AdaptRequest, adapterv1.AdaptResponse]) error {
	s.restoreOutput()
	e := exchange{server: s, stream: stream, requests: make(chan *wire.Call)}
	defer e.workers.Wait()
	defer close(e.requests)
	for idle := s.info.Concurrency; ; {
		m := new(wire.Call)
		err := stream.RecvMsg(m)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case e.requests <- m:
			continue
		default:
		}
		if idle > 0 {
			idle--
			e.workers.Go(e.work)
		}
		e.requests <- m
	}
}

// exchange is one stream. Its workers stay until it ends: a goroutine of its
// own for each request would spend a seventh of the time on growing its stack.
type exchange struct {
	server   *server
	stream   grpc.ServerStream
	requests chan *wire.Call
	workers  sync.WaitGroup
	sending  sync.Mutex
}

// work answers one request after the other. When an adapter ends the worker's
// goroutine, another takes its place.
func (e *exchange) work() {
	over := false
	defer func() {
		if !over {
			e.workers.Go(e.work)
		}
	}()
	for c := range e.requests {
		answer(e.stream.Context(), e.server, c, wire.EncodeAnswer, func(answer wire.Encoded) { e.send(c, answer) })
	}
	over = true
}

func (e *exchange) send(c *wire.Call, answer wire.Encoded) {
	if size := answer.Len(); size > wire.MaxExchangeAnswer {
		large := tooLarge(c.Number, c.Request.ID, size, wire.MaxExchangeAnswer)
		large.Oversize = true // it may be asked for again by Adapt
		answer = wire.EncodeAnswer(large)
	}
	e.sending.Lock()
	defer e.sending.Unlock()
	// An error here is the stream's end, which RecvMsg reports too.
	_ = e.stream.SendMsg(answer)
}

// tooLarge takes the place of an answer that has more than limit bytes: on a
// stream its error would end the calls of everybody else.
func tooLarge(call uint64, id string, size, limit int) wire.Answer {
	return wire.Answer{Call: call, ID: id, Failure: &sdk.Failure{
		Code: sdk.TooLarge, Message: fmt.Sprintf("the answer has %d bytes, %d are the most", size, limit),
	}}
}

// answer calls the adapter and delivers what it says, once that is encoded. A
// panic, or the end of the goroutine, costs this request alone; its stack goes
// to the log.
func answer[M any](ctx context.Context, s *server, c *wire.Call, encode func(wire.Answer) M, deliver func(M)) {
	s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	if !c.Deadline.IsZero() {
		until := withDeadline(ctx, c.Deadline)
		defer until.end()
		ctx = until
	}
	answer := wire.Answer{Call: c.Number, ID: c.Request.ID}
	var message M
	err := errors.New("the adapter ended its goroutine")
	defer func() {
		if cause := recover(); cause != nil {
			fmt.Fprintf(s.stderr, "panic in request %s: %v\n%s", c.Request.ID, cause, debug.Stack())
			err = fmt.Errorf("the adapter panicked: %v", cause)
		}
		if err != nil {
			answer.Result, answer.Failure = nil, failureOf(err)
			message = encode(answer)
		}
		deliver(message)
	}()
	result, failure := s.adapt(ctx, c)
	if failure == nil {
		answer.Result = &result
		message = encode(answer) // what an adapter's own types do as they are encoded is its doing, too
	}
	err = failure
}

func (s *server) adapt(ctx context.Context, c *wire.Call) (sdk.Result, error) {
	if c.Err != nil {
		return sdk.Result{}, c.Err
	}
	request := c.Request
	s.mu.RLock()
	request.Settings = s.settings[request.Integration]
	s.mu.RUnlock()
	return s.adapter.Adapt(sdk.WithLog(ctx, s.log, request), request)
}

// maxCause bounds the text of an adapter's own errors, in bytes.
const maxCause = 1 << 10

// failureOf says whose fault an error is: the adapter's, if it doesn't say.
func failureOf(err error) *sdk.Failure {
	if f, ok := errors.AsType[*sdk.Failure](err); ok && f != nil {
		return f
	}
	message := err.Error()
	return &sdk.Failure{Code: sdk.Internal, Message: message[:min(len(message), maxCause)]}
}
