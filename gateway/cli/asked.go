package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bellcrank.example/core/health"
	"bellcrank.example/gateway/admin"
	"bellcrank.example/gateway/app"
)

// filters are the flags of a list.
type filters struct {
	values map[string]*string
	limit  int
}

// addFilters gives a list command its flags, by name and explanation.
func addFilters(cmd *cobra.Command, flags ...[2]string) *filters {
	f := &filters{values: map[string]*string{}}
	for _, flag := range flags {
		f.values[flag[0]] = cmd.Flags().String(flag[0], "", flag[1])
	}
	cmd.Flags().IntVar(&f.limit, "limit", 50, "how many, 500 at most")
	return f
}

func (f *filters) query() url.Values {
	query := url.Values{"limit": {strconv.Itoa(f.limit)}}
	for name, value := range f.values {
		if *value != "" {
			query.Set(name, *value)
		}
	}
	return query
}

func (a *console) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "say how the gateway is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := get[admin.Status](cmd.Context(), "/v1/status", nil)
			if err != nil {
				return err
			}
			if err := a.show(s, func() { a.printStatus(s) }); err != nil {
				return err
			}
			if !s.Ready {
				return &exitError{code: exitGateway}
			}
			return nil
		},
	}
}

// show prints a value as JSON if that was asked for, else as people like it.
func (a *console) show(value any, people func()) error {
	if a.json {
		return a.printJSON(value)
	}
	people()
	return nil
}

func (a *console) printStatus(s admin.Status) {
	state := "ready"
	if !s.Ready {
		state = "NOT READY: " + s.Problem
	}
	fmt.Fprintf(a.out, "%s, version %s, up since %s\n", state, s.Version, s.StartedAt.Format(time.RFC3339))
	fmt.Fprintf(a.out, "plugins       %d of %d ready\n", s.PluginsReady, s.Plugins)
	fmt.Fprintf(a.out, "integrations  %d\n", s.Integrations)
	fmt.Fprintf(a.out, "destinations  %d, %d disabled\n", s.Destinations, s.Disabled)
	fmt.Fprintf(a.out, "requests      %d open%s\n", s.Backlog.Requests, oldest(s.Backlog.OldestRequest, s.Now))
	fmt.Fprintf(a.out, "deliveries    %d owed, %d of them parked%s\n", s.Backlog.Deliveries, s.Backlog.Parked, oldest(s.Backlog.OldestDelivery, s.Now))
	if s.ClockSuspect {
		fmt.Fprintln(a.out, "clock         was set: until it has been steady for 10 minutes nothing resolves by itself, is deleted or is missed")
	}
}

func oldest(at, now admin.Time) string {
	if at.IsZero() {
		return ""
	}
	return ", the oldest from " + ago(at.Time, now.Time)
}

func (a *console) incidentCommand() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "list incidents, newest first", Args: cobra.NoArgs}
	f := addFilters(list,
		[2]string{"integration", "TYPE/NAME"}, [2]string{"status", "investigating, acknowledged or resolved"},
		[2]string{"severity", "Critical, High, Medium, Low or Pre-emptive"}, [2]string{"service", "its service"},
		[2]string{"since", "last event not before: an age such as 24h, or a time"},
		[2]string{"group", "INC-n: the members of its group"})
	open := list.Flags().Bool("open", false, "only those that aren't resolved")
	held := list.Flags().Bool("held", false, "only those whose news something holds back")
	untold := list.Flags().Bool("untold", false, "only those that nobody ever heard of, as no route wanted them")
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		query := f.query()
		if *open {
			query.Set("open", "true")
		}
		if *held {
			query.Set("held", "true")
		}
		if *untold {
			query.Set("untold", "true")
		}
		answer, err := get[struct {
			Incidents []admin.Incident `json:"incidents"`
		}](cmd.Context(), "/v1/incidents", query)
		if err != nil {
			return err
		}
		return a.show(answer.Incidents, func() { a.printIncidents(answer.Incidents) })
	}
	show := &cobra.Command{
		Use: "show INC-n", Short: "show one incident with its history", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := get[admin.IncidentDetail](cmd.Context(), "/v1/incidents/"+url.PathEscape(args[0]), nil)
			if err != nil {
				return err
			}
			return a.show(d, func() { a.printIncident(d) })
		},
	}
	return group("incident", "incidents", append([]*cobra.Command{list, show, a.explainCommand()}, a.actCommands()...)...)
}

func (a *console) printIncidents(list []admin.Incident) {
	var rows [][]any
	for _, in := range list {
		title := in.Title
		if in.Test {
			title = "[test] " + title
		}
		rows = append(rows, []any{in.ID, string(in.Status), string(in.Severity), in.Count, in.Integration, in.Service, in.LastAt.Format(time.DateTime), clip(title, 60)})
	}
	a.printTable([]any{"id", "status", "severity", "count", "integration", "service", "last event (utc)", "title"}, rows)
}

func (a *console) printIncident(d admin.IncidentDetail) {
	fmt.Fprintf(a.out, "%s  %s  %s\n%s\n", d.ID, d.Status, d.Severity, d.Title)
	for _, line := range facts(d) {
		if line[1] != "" {
			fmt.Fprintf(a.out, "  %-12s %s\n", line[0], printable(line[1]))
		}
	}
	if d.Description != "" {
		fmt.Fprintf(a.out, "\n%s\n", d.Description)
	}
	var rows [][]any
	for _, e := range d.Timeline {
		rows = append(rows, []any{e.At.Format(time.DateTime), string(e.Action), string(e.Effect), string(e.Severity), cmp.Or(e.Request, e.Author), clip(e.Note, 60)})
	}
	fmt.Fprintln(a.out)
	a.printTable([]any{"at (utc)", "said", "effect", "severity", "request or person", "note"}, rows)
	fmt.Fprintln(a.out)
	a.printDeliveries(d.Deliveries)
}

// facts are what is known of an incident, by name; some are empty.
func facts(d admin.IncidentDetail) [][2]string {
	lines := [][2]string{
		{"integration", d.Integration}, {"service", d.Service}, {"affected", strings.Join(d.Affected, ", ")},
		{"source", d.SourceURL}, {"labels", labelLine(d.Labels)}, {"identity", d.IdentityRule + ": " + d.DedupKey},
		{"severity", string(d.Severity) + " by " + d.SeverityRule + quoted(d.SeverityRaw)},
		{"count", strconv.Itoa(d.Count)}, {"opened", moment(d.OpenedAt)},
		{"acknowledged", moment(d.AcknowledgedAt)}, {"resolved", moment(d.ResolvedAt)},
	}
	lines = append(lines, noiseFacts(d.Noise)...)
	for _, link := range d.Links {
		lines = append(lines, [2]string{"link", strings.TrimSpace(link.Name + " " + link.URL)})
	}
	return lines
}

// labelLine is all labels on one line, by name.
func labelLine(labels map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, name+"="+labels[name])
	}
	return strings.Join(pairs, ", ")
}

// moment is empty for what hasn't happened.
func moment(t admin.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf(" (%q)", s)
}

func (a *console) deliveryCommand() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "list deliveries, newest first", Args: cobra.NoArgs}
	f := addFilters(list,
		[2]string{"destination", "TYPE/NAME"}, [2]string{"incident", "INC-n"},
		[2]string{"state", "due, leased, parked, delivered, folded, dead or discarded"},
		[2]string{"since", "owed at most so long, such as 24h, or since a time"})
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		answer, err := get[struct {
			Deliveries []admin.Delivery `json:"deliveries"`
		}](cmd.Context(), "/v1/deliveries", f.query())
		if err != nil {
			return err
		}
		return a.show(answer.Deliveries, func() { a.printDeliveries(answer.Deliveries) })
	}
	curl, secrets := false, false
	show := &cobra.Command{
		Use: "show ID", Short: "show the attempts at one delivery", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if curl {
				return a.curl(cmd.Context(), args[0], secrets)
			}
			answer, err := get[struct {
				Attempts []admin.Attempt `json:"attempts"`
			}](cmd.Context(), deliveryPath(args[0], "/attempts"), nil)
			if err != nil {
				return err
			}
			return a.show(answer.Attempts, func() { a.printAttempts(answer.Attempts) })
		},
	}
	show.Flags().BoolVar(&curl, "curl", false, "print the request that an attempt would make now, as a command")
	show.Flags().BoolVar(&secrets, "secrets", false, "with -curl: print what is secret as well")
	return group("delivery", "what destinations are owed, and what they got", list, show,
		a.redoCommand("retry", "try deliveries again that were given up"),
		a.redoCommand("discard", "give deliveries up"), a.bulkCommand())
}

func (a *console) printDeliveries(list []admin.Delivery) {
	var rows [][]any
	for _, d := range list {
		next := ""
		if !d.NextAt.IsZero() {
			next = d.NextAt.Format(time.DateTime)
		}
		rows = append(rows, []any{d.MessageID, d.Incident, d.Destination, d.Version, string(d.Kind), string(d.State), d.Attempt, next, clip(d.LastError, 60)})
	}
	a.printTable([]any{"webhook-id", "incident", "destination", "version", "kind", "state", "attempts", "next (utc)", "last error"}, rows)
}

func (a *console) printAttempts(list []admin.Attempt) {
	var rows [][]any
	for _, t := range list {
		rows = append(rows, []any{t.Number, t.At.Format(time.RFC3339), fmt.Sprintf("%d ms", t.TookMS), t.Status, string(t.Fault), t.Address, clip(cmp.Or(t.Error, t.Snippet), 60)})
	}
	a.printTable([]any{"attempt", "at", "took", "status", "fault", "address", "answer"}, rows)
}

func (a *console) inboxCommand() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "list requests, newest first", Args: cobra.NoArgs}
	f := addFilters(list,
		[2]string{"integration", "TYPE/NAME"}, [2]string{"state", "open, held, done, ignored, quarantined or rejected"},
		[2]string{"since", "an age such as 24h, or a time"})
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		answer, err := get[struct {
			Requests []admin.Request `json:"requests"`
		}](cmd.Context(), "/v1/requests", f.query())
		if err != nil {
			return err
		}
		return a.show(answer.Requests, func() { a.printRequests(answer.Requests) })
	}
	raw := false
	show := &cobra.Command{
		Use: "show RECEIPT", Short: "show one request", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := get[admin.Request](cmd.Context(), "/v1/requests/"+url.PathEscape(args[0]), nil)
			if err != nil {
				return err
			}
			if raw {
				_, err := a.out.Write(r.Body)
				return err
			}
			return a.printJSON(r)
		},
	}
	show.Flags().BoolVar(&raw, "raw", false, "print only the body, byte for byte as it was sent")
	return group("inbox", "requests as they came in", list, show, a.replayCommand(), a.fixtureCommand())
}

func (a *console) printRequests(list []admin.Request) {
	var rows [][]any
	for _, r := range list {
		rows = append(rows, []any{r.ID, r.ReceivedAt.Format(time.DateTime), r.Integration, string(r.State), r.Attempt, r.Total, r.Duplicates, clip(r.Reason, 60)})
	}
	a.printTable([]any{"receipt", "received (utc)", "integration", "state", "tries", "incidents", "repeats", "reason"}, rows)
}

func (a *console) integrationCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "list integrations", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := integrations(cmd.Context())
			if err != nil {
				return err
			}
			return a.show(all, func() { a.printIntegrations(all) })
		},
	}
	var sample string
	test := &cobra.Command{
		Use: "test TYPE/NAME", Short: "send the adapter's sample through the whole path, marked as a test", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.test(cmd.Context(), args[0], sample) },
	}
	test.Flags().StringVar(&sample, "sample", "", "the `NAME` of another of the adapter's samples")
	health := &cobra.Command{
		Use: "health [TYPE/NAME]", Short: "say how integrations did over the last hour, day and week", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.health(cmd.Context(), "integrations", args)
			}
			all, err := integrations(cmd.Context())
			if err != nil {
				return err
			}
			return a.health(cmd.Context(), "integrations", ids(all, func(i admin.Integration) string { return i.ID }))
		},
	}
	return group("integration", "monitoring tools that may send to us", list, test, health)
}

func integrations(ctx context.Context) ([]admin.Integration, error) {
	answer, err := get[struct {
		Integrations []admin.Integration `json:"integrations"`
	}](ctx, "/v1/integrations", nil)
	return answer.Integrations, err
}

func ids[T any](list []T, id func(T) string) []string {
	var out []string
	for _, item := range list {
		out = append(out, id(item))
	}
	slices.Sort(out)
	return out
}

func (a *console) printIntegrations(all []admin.Integration) {
	var rows [][]any
	for _, in := range all {
		keys := ids(in.Keys, func(k admin.Key) string {
			if k.Expired {
				return k.ID + " (expired)"
			}
			return k.ID
		})
		rows = append(rows, []any{in.ID, in.State, in.Adapter, in.Verification, strings.Join(keys, ", "), in.URL})
	}
	a.printTable([]any{"integration", "state", "adapter", "verification", "keys", "url"}, rows)
}

// test sends a test request and fails unless its events were applied.
func (a *console) test(ctx context.Context, ref, sample string) error {
	kind, name, err := splitRef(ref)
	if err != nil {
		return err
	}
	path := "/v1/integrations/" + url.PathEscape(kind) + "/" + url.PathEscape(name) + "/test"
	r, err := post[admin.Receipt](ctx, path, url.Values{"sample": {sample}})
	if err != nil {
		return err
	}
	err = a.show(r, func() {
		fmt.Fprintf(a.out, "receipt %s: %s", r.ID, r.State)
		if len(r.Incidents) > 0 {
			fmt.Fprintf(a.out, ", %s (marked as a test)", strings.Join(r.Incidents, ", "))
		}
		fmt.Fprintln(a.out)
	})
	if err == nil && r.State != "done" {
		return &exitError{exitGateway, errors.New(cmp.Or(r.Reason, "the adapter has not answered yet"))}
	}
	return err
}

func (a *console) destinationCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "list destinations, and those that aren't configured any more but are owed something", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := destinations(cmd.Context())
			if err != nil {
				return err
			}
			return a.show(all, func() { a.printDestinations(all) })
		},
	}
	health := &cobra.Command{
		Use: "health [TYPE/NAME]", Short: "say how destinations did over the last hour, day and week", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.health(cmd.Context(), "destinations", args)
			}
			all, err := destinations(cmd.Context())
			if err != nil {
				return err
			}
			return a.health(cmd.Context(), "destinations", ids(all, func(d admin.Destination) string { return d.ID }))
		},
	}
	return group("destination", "where incident changes go", list, health, a.showDestinationCommand(), a.testDestinationCommand(),
		a.ableCommand("enable", "send again to a destination, and what was parked for it"),
		a.ableCommand("disable", "send nothing to a destination, and park what it is owed"))
}

func destinations(ctx context.Context) ([]admin.Destination, error) {
	answer, err := get[struct {
		Destinations []admin.Destination `json:"destinations"`
	}](ctx, "/v1/destinations", nil)
	return answer.Destinations, err
}

func (a *console) printDestinations(all []admin.Destination) {
	var rows [][]any
	for _, d := range all {
		state := "active"
		if !d.Active {
			state = "disabled (" + string(d.Disabled) + ")"
		}
		rows = append(rows, []any{d.ID, state, d.Parked, d.Failures, ago(d.LastSuccess.Time, app.Now()), clip(d.LastError, 60)})
	}
	a.printTable([]any{"destination", "state", "parked", "failures", "last success", "last error"}, rows)
}

// health prints a report for each of the named integrations or destinations.
func (a *console) health(ctx context.Context, kind string, names []string) error {
	reports := []admin.Health{}
	for _, id := range names {
		if _, _, err := splitRef(id); err != nil {
			return err
		}
		h, err := get[admin.Health](ctx, "/v1/"+kind+"/"+id+"/health", nil)
		if err != nil {
			return err
		}
		reports = append(reports, h)
	}
	return a.show(reports, func() { a.printHealth(reports) })
}

func (a *console) printHealth(reports []admin.Health) {
	head := []any{"name"}
	for _, w := range health.Windows() {
		head = append(head, fmt.Sprintf("success (%s)", short(w)))
	}
	var rows [][]any
	for _, h := range reports {
		row := []any{h.ID}
		for _, w := range h.Windows {
			row = append(row, successOf(w))
		}
		rows = append(rows, append(row, ago(h.LastAt.Time, app.Now())))
	}
	a.printTable(append(head, "last"), rows)
	for _, h := range reports {
		a.printShape(h)
		for _, e := range h.Errors {
			fmt.Fprintf(a.out, "\n%s  %s  %s  %s", e.At.Format(time.RFC3339), h.ID, e.Code, clip(e.Message, 120))
		}
	}
	if slices.ContainsFunc(reports, func(h admin.Health) bool { return len(h.Errors) > 0 }) {
		fmt.Fprintln(a.out)
	}
}

// short is a window in days or hours.
func short(window time.Duration) string {
	if hours := int(window.Hours()); hours <= 24 {
		return fmt.Sprintf("%d h", hours)
	}
	return fmt.Sprintf("%d d", int(window.Hours())/24)
}

// successOf is such as "99.0 % of 100".
func successOf(w admin.Window) string {
	if w.SuccessRate == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f %% of %d", *w.SuccessRate*100, w.OK+w.Failed)
}
