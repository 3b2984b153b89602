package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"

	"bellcrank.example/core"
	"bellcrank.example/core/pluginhost"
	"bellcrank.example/gateway/app"
	"bellcrank.example/gateway/config"
	"bellcrank.example/sdk"
)

// crew is the adapters of a configuration, running for one command.
type crew struct {
	host  *pluginhost.Host
	end   context.CancelFunc
	ended chan error
}

// crew starts the adapters of some integrations, of all if none is named.
func (l *loader) crew(ctx context.Context, c *config.Config, integrations ...string) (*crew, error) {
	all, err := l.specs(c)
	if err != nil {
		return nil, err
	}
	var specs []pluginhost.Spec
	for _, s := range all {
		uses := func(in *core.Integration) bool {
			return in.Plugin == s.Name && (len(integrations) == 0 || slices.Contains(integrations, in.ID()))
		}
		if slices.ContainsFunc(c.Integrations, uses) {
			specs = append(specs, s)
		}
	}
	host, err := pluginhost.New(pluginhost.Config{Plugins: specs, Now: app.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("start adapters: %w", err)
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	crew := &crew{host: host, end: end, ended: make(chan error, 1)}
	go func() { crew.ended <- host.Run(running) }()
	waiting, cancel := context.WithTimeout(ctx, adaptTimeout)
	defer cancel()
	if err := host.Wait(waiting); err != nil {
		_ = crew.stop() // the first error says more
		return nil, fmt.Errorf("start adapters: %w", err)
	}
	return crew, nil
}

// ask asks an integration's adapter.
func (c *crew) ask(ctx context.Context, in *core.Integration, r *core.Request, decoded []byte) (sdk.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	query, _ := url.ParseQuery(r.Query) // what doesn't parse is left out, as ever
	return c.host.Adapt(ctx, in.Plugin, sdk.Request{
		ID: r.ID.String(), Method: r.Method, Path: r.Path, Query: query, Header: wanted(in, r.Header), Body: decoded,
		Source: r.Source, ReceivedAt: r.ReceivedAt, Integration: in.ID(), Settings: in.Settings, Attempt: 1,
	})
}

// stop ends the adapters.
func (c *crew) stop() error {
	c.end()
	return <-c.ended
}
