package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"bellcrank.example/core"
	"bellcrank.example/gateway/admin"
)

func (a *console) replayCommand() *cobra.Command {
	deliver, integration, since := false, "", ""
	cmd := &cobra.Command{
		Use:   "replay RECEIPT... | -integration TYPE/NAME [-since AGE]",
		Short: "adapt requests again that nobody could read, and apply them in place",
		Long: "Takes the named requests, or all quarantined ones of an integration, oldest first. Each that the adapter\n" +
			"reads now is applied as if it had been read at once, and the incident that stood for it is corrected.\n" +
			"One that fails again stays as it is, and so does one that was applied before: the same replay twice\n" +
			"changes nothing more. What is applied notifies, so it needs -deliver; without it nothing is changed and\n" +
			"the requests are only named. Exits with 3 if some couldn't be applied.",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			receipts := args
			switch {
			case (len(args) == 0) == (integration == ""):
				return errors.New("name receipts, or an -integration")
			case integration != "":
				var err error
				if receipts, err = quarantined(cmd.Context(), integration, since); err != nil {
					return err
				}
			}
			return a.replay(cmd.Context(), receipts, deliver)
		},
	}
	cmd.Flags().BoolVar(&deliver, "deliver", false, "apply them, and notify whom it may concern")
	cmd.Flags().StringVar(&integration, "integration", "", "all quarantined requests of TYPE/NAME")
	cmd.Flags().StringVar(&since, "since", "", "of these, those that are no older: an age such as 24h, or a time")
	return cmd
}

// quarantined lists the receipts of an integration's quarantined requests,
// oldest first.
func quarantined(ctx context.Context, integration, since string) (receipts []string, err error) {
	query := url.Values{"integration": {integration}, "state": {string(core.RequestQuarantined)}, "limit": {"500"}}
	if since != "" {
		query.Set("since", since)
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
			receipts = append([]string{r.ID}, receipts...)
		}
		if answer.Next == "" {
			return receipts, nil
		}
		query.Set("before", answer.Next)
	}
}

// replayed is what became of one request.
type replayed struct {
	Receipt   string   `json:"receipt"`
	State     string   `json:"state"`
	Incidents []string `json:"incidents,omitempty"`
	Problem   string   `json:"problem,omitempty"`
}

func (a *console) replay(ctx context.Context, receipts []string, deliver bool) error {
	results, failed := []replayed{}, 0
	for _, receipt := range receipts {
		one := replayed{Receipt: receipt, State: "not replayed", Problem: "without -deliver"}
		if deliver {
			r, err := ask[admin.Receipt](ctx, http.MethodPost, "/v1/requests/"+url.PathEscape(receipt)+"/replay", url.Values{"deliver": {"true"}})
			one = replayed{Receipt: receipt, State: string(r.State), Incidents: r.Incidents}
			if err != nil {
				one.State, one.Problem = "unchanged", err.Error()
				failed++
			}
		}
		results = append(results, one)
	}
	err := a.show(results, func() {
		for _, r := range results {
			fmt.Fprintln(a.out, strings.TrimSpace(fmt.Sprintf("%s  %s  %s %s", r.Receipt, r.State, strings.Join(r.Incidents, ", "), r.Problem)))
		}
		fmt.Fprintf(a.out, "%s, %d not applied\n", counted(len(results), "request"), failed)
	})
	if err == nil && failed > 0 {
		return &exitError{code: exitDiffers}
	}
	return err
}
