package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/webhook"
	"bellcrank.example/core/dispatch"
	"bellcrank.example/core/store"
	"bellcrank.example/sdk"
)

// outbound is a dispatcher on a real SQLite store, without a gateway around it.
type outbound struct {
	tb         testing.TB
	store      *store.Store
	dispatcher *dispatch.Dispatcher
	stop       func()
}

// toAll routes every incident to all of the destinations.
type toAll struct {
	everywhere
	destinations []string
}

func (r toAll) Decide(*core.Incident) ([]string, []core.Decision) { return r.destinations, nil }

// newOutbound starts one in a directory, which tells all destinations of
// everything. It ends with the test, or before.
func newOutbound(tb testing.TB, dir string, cfg dispatch.Config) *outbound {
	tb.Helper()
	return newOutboundRouted(tb, dir, cfg, func(ids []string) core.Routes { return toAll{destinations: ids} })
}

// newOutboundRouted is newOutbound with other routes to the destinations.
func newOutboundRouted(tb testing.TB, dir string, cfg dispatch.Config, route func(ids []string) core.Routes) *outbound {
	tb.Helper()
	o := &outbound{tb: tb}
	var ids []string
	for _, d := range cfg.Destinations {
		ids = append(ids, d.ID())
	}
	routes := route(ids)
	quiet := slog.New(slog.DiscardHandler)
	var err error
	o.store, err = store.Open(tb.Context(), store.Config{
		URL: "sqlite:" + dir, Routes: func() core.Routes { return routes }, Logger: quiet,
		Owed: func(destinations []string) { o.dispatcher.Wake(destinations) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	if cfg.Store == nil {
		cfg.Store = o.store
	}
	cfg.NewID, cfg.Logger = o.store.NewID, quiet
	o.dispatcher = dispatch.New(cfg)
	storing, endStore := context.WithCancel(context.Background())
	sending, endSending := context.WithCancel(context.Background())
	var stored, sent sync.WaitGroup
	stored.Go(func() { o.report(o.store.Run(storing)) })
	sent.Go(func() { o.report(o.dispatcher.Run(sending)) })
	o.stop = sync.OnceFunc(func() {
		endSending()
		sent.Wait()
		endStore()
		stored.Wait()
		o.report(o.store.Close())
	})
	tb.Cleanup(o.stop)
	return o
}

func (o *outbound) report(err error) {
	if err != nil {
		o.tb.Error(err)
	}
}

// say commits an event, and with it what is owed.
func (o *outbound) say(action sdk.Action, key string) {
	o.tb.Helper()
	if err := commit(o.tb.Context(), o.store, action, key); err != nil {
		o.tb.Fatal(err)
	}
}

func commit(ctx context.Context, s *store.Store, action sdk.Action, key string) error {
	in := integration("custom", sdk.Human)
	r := &core.Request{
		ID: s.NewID(), Tenant: core.DefaultTenant, Integration: in.ID(), ReceivedAt: Now(),
		Method: "POST", Body: []byte(key), State: core.RequestDone, Adapter: "custom",
	}
	e := sdk.Event{Action: action, DedupKey: key}
	if action == sdk.Trigger {
		e.Title, e.Severity = "problem "+key, sdk.High
	}
	_, err := s.Commit(ctx, &core.Submission{Insert: true, Change: core.Change{
		Request: r, ReopenWindow: core.DefaultReopenWindow, Last: true, Events: core.PrepareEvents(in, r.ID, false, []sdk.Event{e}),
	}})
	return err
}

// count returns how many deliveries to a destination are in a state.
func (o *outbound) count(destination string, state core.DeliveryState) int {
	o.tb.Helper()
	n, err := o.store.CountDeliveries(o.tb.Context(), core.DeliveryFilter{Destination: destination, State: state})
	if err != nil {
		o.tb.Fatal(err)
	}
	return n
}

// until waits for a condition, a minute at most.
func (o *outbound) until(what string, met func() bool) {
	o.tb.Helper()
	for end := time.Now().Add(time.Minute); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			o.tb.Fatalf("still waiting for %s", what)
		}
	}
}

// hook returns a webhook destination that may be on this machine.
func hook(tb testing.TB, name string, settings webhook.Settings) *core.Destination {
	tb.Helper()
	object, err := json.Marshal(settings)
	if err != nil {
		tb.Fatal(err)
	}
	sender, err := webhook.New(webhook.Config{Settings: object, AllowedCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(sender.Close)
	return &core.Destination{
		Tenant: core.DefaultTenant, Type: "webhook", Name: name, Sender: sender, Retry: core.DefaultRetry(), Fold: true,
	}
}
