package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"bellcrank.example/core"
	"bellcrank.example/gateway/admin"
	"bellcrank.example/gateway/app"
	"bellcrank.example/gateway/config"
)

// planned is what a changed configuration would do.
type planned struct {
	Added    []string        `json:"added"`   // such as "integration datadog/eu"
	Removed  []string        `json:"removed"` // the same
	Looked   int             `json:"requests"`
	Requests []plannedChange `json:"changed"`
}

// plannedChange is a request that something else would become of.
type plannedChange struct {
	Request     string       `json:"request"`
	Integration string       `json:"integration"`
	Title       string       `json:"title,omitempty"`
	Differences []difference `json:"differences"`
}

func (a *console) planCommand() *cobra.Command {
	var paths []string
	last := 100
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "show what a changed configuration would do to the last requests",
		Long: "Tries the last stored requests on the running gateway and on the configuration, each with its own adapters,\n" +
			"and shows what would differ: keys, severities, services, routes, destinations. Nothing is written and nobody\n" +
			"is told. Exits with 3 if something would differ.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.plan(cmd.Context(), paths, last) },
	}
	configFlag(cmd, &paths)
	cmd.Flags().IntVar(&last, "last", last, "how many requests, 5000 at most")
	return cmd
}

func (a *console) plan(ctx context.Context, paths []string, last int) (err error) {
	if last < 0 || last > 5000 {
		return errors.New("-last: want a number from 0 to 5000")
	}
	loader, err := newLoader(paths, os.LookupEnv)
	if err != nil {
		return err
	}
	c, err := a.load(loader)
	if err != nil {
		return err
	}
	tree, err := app.NewTree(c, 1)
	if err != nil {
		return err
	}
	p, err := compareNames(ctx, c)
	if err != nil {
		return err
	}
	crew, err := loader.crew(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, crew.stop()) }()
	trier := &admin.Trier{Integrations: c.Integrations, Routes: tree, Ask: crew.ask, Now: app.Now()}
	if err := p.look(ctx, trier, last); err != nil {
		return err
	}
	if err := a.show(p, func() { a.printPlan(p) }); err != nil {
		return err
	}
	if len(p.Added)+len(p.Removed)+len(p.Requests) > 0 {
		return &exitError{code: exitDiffers}
	}
	return nil
}

// compareNames tells which integrations and destinations would come and go.
func compareNames(ctx context.Context, c *config.Config) (*planned, error) {
	running, err := get[struct{ Integrations []admin.Integration }](ctx, "/v1/integrations", nil)
	if err != nil {
		return nil, err
	}
	told, err := get[struct{ Destinations []admin.Destination }](ctx, "/v1/destinations", nil)
	if err != nil {
		return nil, err
	}
	before, after := map[string]bool{}, map[string]bool{}
	for _, in := range running.Integrations {
		before["integration "+in.ID] = true
	}
	for _, d := range told.Destinations {
		before["destination "+d.ID] = true
	}
	for _, in := range c.Integrations {
		after["integration "+in.ID()] = true
	}
	for _, d := range c.Destinations {
		after["destination "+d.ID()] = true
	}
	return &planned{Added: without(after, before), Removed: without(before, after), Requests: []plannedChange{}}, nil
}

// without lists what is in one set and not in the other.
func without(set, other map[string]bool) []string {
	rest := slices.DeleteFunc(slices.Sorted(maps.Keys(set)), func(name string) bool { return other[name] })
	if rest == nil {
		return []string{}
	}
	return rest
}

// look tries the last requests, newest first.
func (p *planned) look(ctx context.Context, trier *admin.Trier, last int) error {
	query := url.Values{}
	for p.Looked < last {
		query.Set("limit", strconv.Itoa(min(last-p.Looked, 100)))
		page, err := get[struct {
			Requests []admin.Request
			Next     string
		}](ctx, "/v1/requests", query)
		if err != nil {
			return err
		}
		for _, r := range page.Requests {
			p.Looked++
			if err := p.lookAt(ctx, trier, r); err != nil {
				return fmt.Errorf("request %s: %w", r.ID, err)
			}
		}
		if page.Next == "" || len(page.Requests) == 0 {
			return nil
		}
		query.Set("before", page.Next)
	}
	return nil
}

// lookAt tries one request on both sides.
func (p *planned) lookAt(ctx context.Context, trier *admin.Trier, r admin.Request) error {
	if !hasAdapter(r) {
		return nil
	}
	before, err := send[admin.TrialAnswer](ctx, "/v1/routes/test", admin.TrialRequest{Request: r.ID})
	if err != nil {
		return err
	}
	if r, err = get[admin.Request](ctx, "/v1/requests/"+r.ID, nil); err != nil {
		return err
	}
	change := plannedChange{Request: r.ID, Integration: r.Integration}
	if !slices.ContainsFunc(trier.Integrations, func(in *core.Integration) bool { return in.ID() == r.Integration }) {
		change.Differences = []difference{{"integration", r.Integration, ""}}
		p.Requests = append(p.Requests, change)
		return nil
	}
	asked, err := storedRequest(r)
	if err != nil {
		return err
	}
	after, err := trier.Request(ctx, asked)
	if err != nil {
		return err
	}
	change.compare(before, after)
	if len(change.Differences) > 0 {
		p.Requests = append(p.Requests, change)
	}
	return nil
}

// hasAdapter reports whether an adapter has a say in what becomes of a request:
// not in what we tell of ourselves, nor in a heartbeat.
func hasAdapter(r admin.Request) bool {
	return r.KeyID != "" && !strings.HasPrefix(r.Integration, core.HeartbeatType+"/") && r.Integration != core.SelfIntegration
}

func storedRequest(r admin.Request) (*core.Request, error) {
	id, err := core.ParseID(r.ID)
	if err != nil {
		return nil, err
	}
	source, _ := netip.ParseAddr(r.Source) // of a test there is none
	return &core.Request{
		ID: id, Tenant: core.DefaultTenant, Integration: r.Integration, ReceivedAt: r.ReceivedAt.Time, Source: source,
		Method: r.Method, Path: r.Path, Query: r.Query, Header: r.Header, Encoding: r.Encoding, Body: r.Body, Test: r.Test,
	}, nil
}

// compare notes what differs between the answers of both sides.
func (c *plannedChange) compare(before, after admin.TrialAnswer) {
	if before.Failure != after.Failure && (before.Failure == "" || after.Failure == "") {
		c.Differences = append(c.Differences, difference{"failure", before.Failure, after.Failure})
	}
	if len(before.Trials) != len(after.Trials) {
		c.Differences = append(c.Differences, difference{"events", counts(before), counts(after)})
		return
	}
	for i, old := range before.Trials {
		now := after.Trials[i]
		if c.Title == "" {
			c.Title = strings.TrimSpace(string(old.Action) + " " + old.Title)
		}
		if strings.HasPrefix(old.HeldBy, "silence ") {
			now.HeldBy = old.HeldBy // one that was made at run time is in no configuration
		}
		for _, d := range differ(old, now) {
			if len(before.Trials) > 1 {
				d.Field = fmt.Sprintf("%d.%s", i+1, d.Field)
			}
			c.Differences = append(c.Differences, d)
		}
	}
}

func (a *console) printPlan(p *planned) {
	for _, name := range p.Added {
		fmt.Fprintf(a.out, "+ %s\n", name)
	}
	for _, name := range p.Removed {
		fmt.Fprintf(a.out, "- %s\n", name)
	}
	totals := map[string]int{}
	for _, c := range p.Requests {
		fmt.Fprintf(a.out, "~ %s  %s  %s\n", c.Request, c.Integration, clip(printable(c.Title), 80))
		a.printDifferences(c.Differences)
		seen := map[string]bool{}
		for _, d := range c.Differences {
			field := d.Field[strings.Index(d.Field, ".")+1:]
			if !seen[field] {
				seen[field] = true
				totals[field]++
			}
		}
	}
	fmt.Fprintf(a.out, "%d of the last %s would become something else\n", len(p.Requests), counted(p.Looked, "request"))
	for _, field := range slices.Sorted(maps.Keys(totals)) {
		fmt.Fprintf(a.out, "  %-13s of %d\n", field, totals[field])
	}
}
