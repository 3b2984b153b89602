package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"bellcrank.example/core"
	"bellcrank.example/gateway/admin"
)

// replayFlags is what a replay shall do, and to which requests.
type replayFlags struct {
	deliver, dry, asNew bool
	version             string
	integration, state  string
	since, until        string
	receipts            []string
}

func (a *console) replayCommand() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay RECEIPT... | -integration TYPE/NAME",
		Short: "adapt stored requests again: dry, in their place, or as new",
		Long: "Takes the named requests, or those of an integration that are quarantined or in the -state that is named,\n" +
			"oldest first, through the adapter that serves or another -version that is pinned.\n\n" +
			"In place, what the adapter says now is applied as if it had said so at once: the incident that stood for\n" +
			"an unreadable request is corrected, and what was applied before counts no second time. As new, a copy comes\n" +
			"in now, once a day for each version. Dry, it is only shown.\n\n" +
			"Nobody hears of it without -deliver. A request that the adapter fails at again stays as it is, and the same\n" +
			"replay twice leaves what it left the first time. Exits with 3 if some couldn't be applied.",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.receipts = args
			return a.replay(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.dry, "dry-run", false, "change nothing, show what the adapter says")
	flags.BoolVar(&f.asNew, "as-new", false, "let a copy of each come in now")
	flags.BoolVar(&f.deliver, "deliver", false, "notify whom it may concern")
	flags.StringVar(&f.version, "version", "", "the version of the adapter that reads them; the one that serves if empty")
	flags.StringVar(&f.integration, "integration", "", "all requests of TYPE/NAME in the state")
	flags.StringVar(&f.state, "state", string(core.RequestQuarantined), "of these, those that are quarantined, ignored or done, or all of the three")
	flags.StringVar(&f.since, "since", "", "of these, those that are no older: an age such as 24h, or a time")
	flags.StringVar(&f.until, "until", "", "of these, those that came before: an age such as 1h, or a time")
	return cmd
}

// mode is the API's word for what shall be done.
func (f *replayFlags) mode() core.ReplayMode {
	switch {
	case f.dry:
		return core.ReplayDry
	case f.asNew:
		return core.ReplayAsNew
	}
	return core.ReplayInPlace
}

// replayable are the states in which a request can be replayed.
var replayable = []core.RequestState{core.RequestQuarantined, core.RequestIgnored, core.RequestDone}

func (f *replayFlags) check() error {
	switch {
	case (len(f.receipts) == 0) == (f.integration == ""):
		return errors.New("name receipts, or an -integration")
	case f.dry && f.asNew, f.dry && f.deliver:
		return errors.New("-dry-run changes nothing: it goes with neither -as-new nor -deliver")
	case f.state != "all" && !slices.Contains(replayable, core.RequestState(f.state)):
		return errors.New("-state must be one of quarantined, ignored, done and all")
	}
	return nil
}

// find lists the receipts that are meant, oldest first.
func (f *replayFlags) find(ctx context.Context) (receipts []string, err error) {
	if f.integration == "" {
		return f.receipts, nil
	}
	query := url.Values{"integration": {f.integration}, "limit": {"500"}, "since": {f.since}, "until": {f.until}}
	if f.state != "all" {
		query.Set("state", f.state)
	}
	for {
		answer, err := get[struct {
			Requests []admin.Request `json:"requests"`
			Next     string          `json:"next"`
		}](ctx, "/v1/requests", query)
		if err != nil {
			return nil, err
		}
		for _, r := range answer.Requests {
			if slices.Contains(replayable, r.State) {
				receipts = append(receipts, r.ID)
			}
		}
		if answer.Next == "" {
			slices.Reverse(receipts)
			return receipts, nil
		}
		query.Set("before", answer.Next)
	}
}

// replayed is what became of one request.
type replayed struct {
	admin.Replayed

	Problem string `json:"problem,omitempty"` // nothing was changed
}

func (a *console) replay(ctx context.Context, f replayFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	receipts, err := f.find(ctx)
	if err != nil {
		return err
	}
	query := url.Values{"mode": {string(f.mode())}, "deliver": {strconv.FormatBool(f.deliver)}, "version": {f.version}}
	results, failed := []replayed{}, 0
	for _, receipt := range receipts {
		r, err := ask[admin.Replayed](ctx, http.MethodPost, "/v1/requests/"+url.PathEscape(receipt)+"/replay", query)
		one := replayed{Replayed: r}
		if err != nil {
			one.Of, one.Problem = receipt, err.Error()
			failed++
		}
		results = append(results, one)
	}
	err = a.show(results, func() {
		for _, r := range results {
			a.printReplayed(r, f)
		}
		fmt.Fprintf(a.out, "%s, %d not applied\n", counted(len(results), "request"), failed)
	})
	if err == nil && failed > 0 {
		return &exitError{code: exitDiffers}
	}
	return err
}

func (a *console) printReplayed(r replayed, f replayFlags) {
	switch {
	case r.Problem != "":
		fmt.Fprintf(a.out, "%s  unchanged  %s\n", r.Of, r.Problem)
		return
	case f.dry:
		fmt.Fprintf(a.out, "%s  would be %s  by %s  %s\n", r.Of, r.State, r.Adapter, strings.TrimSpace(counted(r.EventTotal, "event")+"  "+r.Reason))
		for _, e := range r.Events {
			fmt.Fprintf(a.out, "  %s  %s  %s  %s\n", e.Action, e.Severity, e.Key, e.Title)
		}
		return
	}
	as := ""
	if f.asNew {
		as = "as " + r.ID + "  "
	}
	if r.Duplicate {
		as += "as before  "
	}
	fmt.Fprintln(a.out, strings.TrimSpace(fmt.Sprintf("%s  %s  %s%s %s", r.Of, r.State, as, strings.Join(r.Incidents, ", "), r.Reason)))
}
