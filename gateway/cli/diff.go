package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bellcrank.example/core"
	"bellcrank.example/core/pluginhost"
	"bellcrank.example/gateway/admin"
	"bellcrank.example/gateway/config"
	"bellcrank.example/sdk"
)

func (a *console) diffCommand() *cobra.Command {
	paths, last := []string(nil), 0
	cmd := &cobra.Command{
		Use:   "diff TYPE NEW",
		Short: "say what another version of an adapter would make of the requests that are stored",
		Long: "Takes the newest requests of each integration of the type from the gateway, runs them through the pinned\n" +
			"executable and through NEW, here, and prints field by field what differs. NEW is a version that is pinned,\n" +
			"or an executable's path. Nothing is written, and no traffic is touched. Exits with 3 if there are differences.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if last < 1 {
				return errors.New("-last must be 1 or more")
			}
			l, err := newLoader(paths, nil)
			if err != nil {
				return err
			}
			return a.diff(cmd.Context(), l, args[0], args[1], last)
		},
	}
	configFlag(cmd, &paths)
	cmd.Flags().IntVar(&last, "last", 1000, "how many requests of each integration")
	return cmd
}

// comparison is what diff prints.
type comparison struct {
	Requests  int           `json:"requests"`
	Different int           `json:"different"`
	Changes   []fieldChange `json:"changes"`
}

// fieldChange is one field of one request's answer.
type fieldChange struct {
	Receipt     string `json:"receipt"`
	Integration string `json:"integration"`

	pluginhost.Difference
}

func (a *console) diff(ctx context.Context, l *loader, kind, version string, last int) error {
	c, err := a.load(l)
	if err != nil {
		return err
	}
	result := comparison{Changes: []fieldChange{}}
	found := false
	for _, in := range c.Integrations {
		if in.Type != kind {
			continue
		}
		found = true
		if err := a.diffIntegration(ctx, l, c, in, version, last, &result); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("there is no integration of type %q in the configuration", kind)
	}
	if err := a.show(result, func() { a.printComparison(result) }); err != nil {
		return err
	}
	if result.Different > 0 {
		return &exitError{code: exitDiffers}
	}
	return nil
}

func (a *console) printComparison(result comparison) {
	var rows [][]any
	for _, d := range result.Changes {
		rows = append(rows, []any{d.Receipt, d.Integration, d.Field, clip(cmp.Or(d.Old, "–"), 40), clip(cmp.Or(d.New, "–"), 40)})
	}
	if len(rows) > 0 {
		a.printTable([]any{"receipt", "integration", "field", "old", "new"}, rows)
	}
	fmt.Fprintf(a.out, "%s, %d of them different\n", counted(result.Requests, "request"), result.Different)
}

// diffIntegration compares the two versions over an integration's requests.
func (a *console) diffIntegration(ctx context.Context, l *loader, c *config.Config, in *core.Integration, version string, last int, to *comparison) error {
	before, after, err := l.versions(ctx, c, in, version)
	if err != nil {
		return err
	}
	receipts, err := newest(ctx, in.ID(), last)
	if err != nil {
		return err
	}
	return withHost(ctx, []pluginhost.Spec{after, before}, func(host *pluginhost.Host) error {
		for _, receipt := range receipts {
			stored, err := get[admin.Request](ctx, "/v1/requests/"+url.PathEscape(receipt), nil)
			if err != nil {
				return err
			}
			old := answerOf(ctx, host, before.Name, in, stored)
			changes := pluginhost.Compare(old, answerOf(ctx, host, after.Name, in, stored))
			to.Requests++
			if len(changes) > 0 {
				to.Different++
			}
			for _, d := range changes {
				to.Changes = append(to.Changes, fieldChange{receipt, in.ID(), d})
			}
		}
		return nil
	})
}

// versions returns the pinned executable of an integration's plugin, and the
// one to compare with.
func (l *loader) versions(ctx context.Context, c *config.Config, in *core.Integration, version string) (before, after pluginhost.Spec, err error) {
	i := slices.IndexFunc(c.Plugins, func(p config.Plugin) bool { return p.Name == in.Plugin })
	if i < 0 {
		return before, after, fmt.Errorf("%s has no plugin", in.ID())
	}
	if before, err = l.spec(c.Plugins[i], c.PluginDirectory); err != nil {
		return before, after, err
	}
	if strings.ContainsRune(version, filepath.Separator) {
		entry, err := describe(ctx, version)
		if err != nil {
			return before, after, err
		}
		if entry.Type != in.Type {
			return before, after, fmt.Errorf("%s adapts %q, not %q", version, entry.Type, in.Type)
		}
		if after.Path, err = filepath.Abs(version); err != nil {
			return before, after, fmt.Errorf("%s: %w", version, err)
		}
		after.Type, after.Version, after.SHA256, after.Info = entry.Type, entry.Version, entry.SHA256[pluginhost.Platform()], &entry.Info
		after.Args, after.Env, after.Limits, after.ReadPaths = before.Args, before.Env, before.Limits, before.ReadPaths
	} else {
		p := c.Plugins[i]
		p.Version, p.SHA256 = version, ""
		if after, err = l.spec(p, c.PluginDirectory); err != nil {
			return before, after, err
		}
	}
	// The host tells its plugins apart by these.
	before.Name, after.Name = "pinned", "new"
	before.Instances = map[string]json.RawMessage{in.ID(): in.Settings}
	after.Instances = before.Instances
	return before, after, nil
}

// newest lists an integration's receipts, at most so many.
func newest(ctx context.Context, integration string, last int) (receipts []string, err error) {
	const page = 500
	before := ""
	for len(receipts) < last {
		answer, err := get[struct {
			Requests []admin.Request `json:"requests"`
			Next     string          `json:"next"`
		}](ctx, "/v1/requests", url.Values{
			"integration": {integration}, "before": {before}, "limit": {strconv.Itoa(min(page, last-len(receipts)))},
		})
		if err != nil {
			return nil, err
		}
		for _, r := range answer.Requests {
			receipts = append(receipts, r.ID)
		}
		if before = answer.Next; before == "" {
			break
		}
	}
	return receipts, nil
}

// answerOf is what a version makes of a stored request.
func answerOf(ctx context.Context, host *pluginhost.Host, plugin string, in *core.Integration, stored admin.Request) adapted {
	id, err := core.ParseID(stored.ID)
	if err != nil {
		return adaptedAs(0, in, sdk.Result{}, err)
	}
	body, err := core.Decode(stored.Body, stored.Encoding, in.Limits.Body)
	if err != nil {
		return adaptedAs(id, in, sdk.Result{}, err)
	}
	query, _ := url.ParseQuery(stored.Query)    // what doesn't parse is left out, as ever
	source, _ := netip.ParseAddr(stored.Source) // likewise
	ctx, cancel := context.WithTimeout(ctx, adaptTimeout)
	defer cancel()
	awaitReady(ctx, host, plugin)
	result, err := host.Adapt(ctx, plugin, sdk.Request{
		ID: stored.ID, Method: stored.Method, Path: stored.Path, Query: query, Header: stored.Header, Body: body,
		Source: source, ReceivedAt: stored.ReceivedAt.Time, Integration: in.ID(), Settings: in.Settings, Attempt: 1,
	})
	if fault, ok := errors.AsType[*core.AdaptError](err); ok {
		err = fmt.Errorf("%s: %w", fault.Fault, fault.Err) // whose it is stands in the column
	}
	return adaptedAs(id, in, result, err)
}

// awaitReady waits until a plugin that the request before has killed is back.
func awaitReady(ctx context.Context, host *pluginhost.Host, plugin string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !host.Ready(plugin) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
