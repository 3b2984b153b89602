//go:build unix

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire"
	"bellcrank.example/sdk/internal/wire/adapterv1"
)

// batchEnv has the plugin take requests in batches; its value says how badly.
const batchEnv = "BATCHES"

// batcher is a plugin as one in a runtime with one thread would be.
type batcher struct {
	plugin.NetRPCUnsupportedPlugin
	adapterv1.UnimplementedPluginServer
	adapterv1.UnimplementedAdapterServer

	manner  string
	largest atomic.Int64 // of its batches
}

func serveBatches(manner string) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: wire.Protocol, MagicCookieKey: wire.CookieKey, MagicCookieValue: wire.CookieValue,
		},
		VersionedPlugins: map[int]plugin.PluginSet{wire.Protocol: {"adapter": &batcher{manner: manner}}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.MaxRecvMsgSize(wire.MaxRequest))...)
		},
	})
}

func (b *batcher) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	adapterv1.RegisterPluginServer(s, b)
	adapterv1.RegisterAdapterServer(s, b)
	return nil
}

func (*batcher) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a plugin has no client")
}

func (b *batcher) Describe(context.Context, *adapterv1.DescribeRequest) (*adapterv1.DescribeResponse, error) {
	info, err := json.Marshal(sdk.Info{Type: "batches", Name: "Batches", Version: "1.0.0"})
	return &adapterv1.DescribeResponse{InfoJson: info, Capabilities: []string{wire.CapabilityBatch}}, err
}

// Adapt tells how large the largest batch was; the body is a command.
func (b *batcher) Adapt(_ context.Context, m *adapterv1.AdaptRequest) (*adapterv1.AdaptResponse, error) {
	return b.answer(m, "alone"), nil
}

func (b *batcher) answer(m *adapterv1.AdaptRequest, how string) *adapterv1.AdaptResponse {
	answer := &adapterv1.AdaptResponse{Call: m.GetCall(), Id: m.GetId()}
	switch body := string(m.GetBody()); {
	case body == "exit":
		os.Exit(7)
	case body == "fail":
		answer.Outcome = &adapterv1.AdaptResponse_Failure{Failure: &adapterv1.Failure{Code: adapterv1.FailureCode_FAILURE_CODE_MALFORMED}}
		return answer
	case body == "large" && how == "batch":
		answer.Outcome = &adapterv1.AdaptResponse_Failure{Failure: &adapterv1.Failure{Oversize: true}}
		return answer
	case strings.HasPrefix(body, "much "):
		answer.Outcome = &adapterv1.AdaptResponse_Result{Result: wire.FromResult(much(strings.TrimPrefix(body, "much ")))}
		return answer
	case strings.HasPrefix(body, "sleep"):
		d, _ := time.ParseDuration(strings.TrimPrefix(body, "sleep "))
		time.Sleep(d)
	}
	answer.Outcome = &adapterv1.AdaptResponse_Result{Result: &adapterv1.Result{
		Ignored: fmt.Sprintf("%s %d", how, b.largest.Load()),
	}}
	return answer
}

func (b *batcher) AdaptBatch(_ context.Context, m *adapterv1.AdaptBatchRequest) (*adapterv1.AdaptBatchResponse, error) {
	for size := int64(len(m.GetRequests())); ; {
		if largest := b.largest.Load(); largest >= size || b.largest.CompareAndSwap(largest, size) {
			break
		}
	}
	answer := &adapterv1.AdaptBatchResponse{}
	for _, r := range m.GetRequests() {
		if b.manner == "refuses" && string(r.GetBody()) == "poison" {
			return nil, status.Error(codes.Internal, "poison")
		}
		answer.Responses = append(answer.Responses, b.answer(r, "batch"))
	}
	time.Sleep(5 * time.Millisecond) // what comes meanwhile goes together
	switch last := len(answer.Responses) - 1; b.manner {
	case "forgets":
		answer.Responses = answer.Responses[:last]
	case "mixes":
		answer.Responses[0], answer.Responses[last] = answer.Responses[last], answer.Responses[0]
	case "never":
		time.Sleep(time.Hour)
	}
	return answer, nil
}

// together sends bodies at once and returns the answers and errors in order.
func together(t *testing.T, c *Client, within time.Duration, bodies ...string) ([]sdk.Result, []error) {
	t.Helper()
	results, errs := make([]sdk.Result, len(bodies)), make([]error, len(bodies))
	var calls sync.WaitGroup
	for i, body := range bodies {
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			results[i], errs[i] = c.Adapt(ctx, sdk.Request{ID: fmt.Sprint(i), Body: []byte(body)})
		})
	}
	calls.Wait()
	return results, errs
}

// bodies is so many quick ones, with others among them.
func bodies(others ...string) []string {
	all := make([]string, 200)
	for i, other := range others {
		all[20*i+10] = other
	}
	return all
}

func startBatches(t *testing.T, manner string) *Client {
	t.Helper()
	// As a shim it keeps its stdout, which package serve would set aside.
	return start(t, func(cfg *Config) { cfg.Env = append(cfg.Env, batchEnv+"="+manner, wire.ShimEnv+"=1") })
}

func TestWhatWaitsGoesInOneCall(t *testing.T) {
	c := startBatches(t, "well")
	results, errs := together(t, c, 30*time.Second, bodies()...)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	last, err := c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: "last"})
	var largest int
	if _, scanErr := fmt.Sscanf(last.Ignored, "alone %d", &largest); err != nil || scanErr != nil {
		t.Fatalf("who comes alone goes alone: %+v, %v", last, err)
	}
	if largest < 2 || largest > maxBatch {
		t.Errorf("the largest batch had %d requests, want 2 to %d (%+v)", largest, maxBatch, results[0])
	}
}

func TestAnswersInABatchAreEachTheirOwn(t *testing.T) {
	c := startBatches(t, "well")
	results, errs := together(t, c, 30*time.Second, bodies("fail", "large", "fail")...)
	for i, err := range errs {
		failure, failed := errors.AsType[*sdk.Failure](err)
		if want := i == 10 || i == 50; failed != want || want && failure.Code != sdk.Malformed || !want && err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if !strings.HasPrefix(results[30].Ignored, "alone") {
		t.Errorf("an answer that is too large for its batch: %+v, want it from a call of its own", results[30])
	}
}

func TestOneThatSpoilsItsBatchCostsNobodyAnAnswer(t *testing.T) {
	for _, manner := range []string{"refuses", "forgets", "mixes"} {
		t.Run(manner, func(t *testing.T) {
			c := startBatches(t, manner)
			_, errs := together(t, c, 30*time.Second, bodies("poison")...)
			if err := errors.Join(errs...); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestABatchWithoutAnAnswerIsGivenUpInTime(t *testing.T) {
	c := startBatches(t, "never")
	// No more than two calls take: who waits for a third has a quarter of its time
	// left, and then an eighth.
	_, errs := together(t, c, 12*time.Second, bodies()[:batchLanes*maxBatch]...)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

func TestCallersOfABatchWaitNoLongerThanTheirTime(t *testing.T) {
	c := startBatches(t, "well")
	_, errs := together(t, c, 300*time.Millisecond, "sleep 1h", "sleep 1h", "sleep 1h", "sleep 1h")
	for i, err := range errs {
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Timeout {
			t.Errorf("request %d: %v, want a timeout", i, err)
		}
	}
}

func TestACrashInABatchIsToldToAllThatWereInIt(t *testing.T) {
	c := startBatches(t, "well")
	_, errs := together(t, c, 30*time.Second, bodies("exit")...)
	crashed := 0
	for i, err := range errs {
		e, ok := errors.AsType[*Error](err)
		if err != nil && (!ok || e.Kind != Crashed && e.Kind != Gone) {
			t.Errorf("request %d: %v", i, err)
		}
		if ok && e.Kind == Crashed {
			crashed++
		}
	}
	if crashed == 0 {
		t.Error("nobody heard of the crash")
	}
	<-c.Done()
}

func TestAWayThatThePluginDoesNotOfferIsRefused(t *testing.T) {
	c, err := Start(t.Context(), Config{Path: executable(t), Env: raceEnv(), StartTimeout: 30 * time.Second, Way: Batch})
	if err == nil {
		c.Kill()
		t.Fatal("it started")
	}
	if !strings.Contains(err.Error(), "doesn't offer batch") {
		t.Errorf("error %q", err)
	}
}
