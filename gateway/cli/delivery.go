package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bellcrank.example/gateway/admin"
)

func deliveryPath(id, what string) string {
	return "/v1/deliveries/" + url.PathEscape(strings.TrimPrefix(id, "msg_")) + what
}

// redoCommand is `delivery retry` and `delivery discard`: one delivery by its
// id, or many by a filter, which are counted first.
func (a *console) redoCommand(action, short string) *cobra.Command {
	cmd := &cobra.Command{Use: action + " [ID]", Short: short, Args: cobra.MaximumNArgs(1)}
	f := addFilters(cmd,
		[2]string{"destination", "TYPE/NAME"}, [2]string{"incident", "INC-n"},
		[2]string{"state", "due, parked, delivered, folded, dead or discarded"},
		[2]string{"since", "owed at most so long, such as 24h, or since a time"})
	var newID, yes, wait bool
	cmd.Flags().BoolVar(&yes, "yes", false, "do it, not only count")
	cmd.Flags().BoolVar(&wait, "wait", false, "show progress until it is done")
	if action == "retry" {
		cmd.Flags().BoolVar(&newID, "new-id", false, "send once more under a new webhook-id, even what was delivered")
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		query := url.Values{}
		if newID {
			query.Set("new_id", "true")
		}
		if len(args) == 1 {
			d, err := ask[admin.Delivery](cmd.Context(), http.MethodPost, deliveryPath(args[0], "/"+action), query)
			if err != nil {
				return err
			}
			return a.show(d, func() { a.printDeliveries([]admin.Delivery{d}) })
		}
		maps.Copy(query, f.query())
		query.Del("limit")
		if len(query) == 0 || len(query) == 1 && newID {
			return errors.New("name a delivery, or select some by -state, -destination or -incident")
		}
		if !yes {
			query.Set("dry_run", "true")
		}
		return a.bulk(cmd.Context(), action, query, wait && yes)
	}
	return cmd
}

// bulk counts or begins a bulk operation, and follows it if asked to.
func (a *console) bulk(ctx context.Context, action string, query url.Values, wait bool) error {
	b, err := ask[admin.Bulk](ctx, http.MethodPost, "/v1/bulk/"+action, query)
	if err != nil {
		return err
	}
	for wait && b.State == "running" {
		fmt.Fprintf(a.err, "\r%d of %d", b.Done, b.Total)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		if b, err = bulkNow(ctx, b); err != nil {
			return err
		}
	}
	return a.show(b, func() {
		if b.ID == "" {
			fmt.Fprintf(a.out, "%s: nothing was done, -yes does it\n", counted(b.Total, "matching row"))
			return
		}
		a.printBulks([]admin.Bulk{b})
	})
}

func bulkNow(ctx context.Context, b admin.Bulk) (admin.Bulk, error) {
	list, err := bulks(ctx)
	if i := slices.IndexFunc(list, func(other admin.Bulk) bool { return other.ID == b.ID }); i >= 0 {
		return list[i], err
	}
	return b, errors.Join(err, errors.New("the operation isn't listed any more"))
}

func bulks(ctx context.Context) ([]admin.Bulk, error) {
	answer, err := get[struct {
		Bulk []admin.Bulk `json:"bulk"`
	}](ctx, "/v1/bulk", nil)
	return answer.Bulk, err
}

func (a *console) bulkCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "list retries and discards of many deliveries", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := bulks(cmd.Context())
			if err != nil {
				return err
			}
			return a.show(all, func() { a.printBulks(all) })
		},
	}
	cancel := &cobra.Command{
		Use: "cancel ID", Short: "end one where it is", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := post[admin.Bulk](cmd.Context(), "/v1/bulk/"+url.PathEscape(args[0])+"/cancel", nil)
			if err != nil {
				return err
			}
			return a.show(b, func() { a.printBulks([]admin.Bulk{b}) })
		},
	}
	return group("bulk", "retries and discards of many deliveries", list, cancel)
}

func (a *console) printBulks(list []admin.Bulk) {
	var rows [][]any
	for _, b := range list {
		rows = append(rows, []any{
			b.ID, string(b.Action), b.Destination, string(b.Delivery), string(b.State),
			fmt.Sprintf("%d of %d", b.Done, b.Total), b.Changed, b.CreatedAt.Format(time.DateTime),
		})
	}
	a.printTable([]any{"bulk", "action", "destination", "of", "state", "done", "changed", "begun (utc)"}, rows)
}

// curl prints the request that an attempt would make now as a command. What is
// secret stands as a variable, unless it is asked for; so do the files that hold
// certificates and keys.
func (a *console) curl(ctx context.Context, id string, secrets bool) error {
	query := url.Values{}
	if secrets {
		query.Set("secrets", "true")
	}
	p, err := get[admin.DeliveryRequest](ctx, deliveryPath(id, "/request"), query)
	if err != nil {
		return err
	}
	return a.show(p, func() {
		fmt.Fprintf(a.out, "curl -sS -i -X %s %s", p.Method, shellWord(p.URL, secrets))
		for _, name := range slices.Sorted(maps.Keys(p.Header)) {
			for _, value := range p.Header[name] {
				fmt.Fprintf(a.out, " \\\n  -H %s", shellWord(name+": "+value, secrets))
			}
		}
		if p.Proxy != "" {
			fmt.Fprintf(a.out, " \\\n  --proxy %s", shellWord(p.Proxy, secrets))
		}
		// What is a certificate or a key is a file's name to curl.
		if p.OwnCA {
			fmt.Fprint(a.out, " \\\n  --cacert \"$CA\"")
		}
		if p.ClientCertificate {
			fmt.Fprint(a.out, " \\\n  --cert \"$CLIENT_CERTIFICATE\" --key \"$CLIENT_KEY\"")
		}
		fmt.Fprintf(a.out, " \\\n  --data-binary %s\n", shellWord(p.Body, true))
	})
}

// shellWord quotes text for a shell, which fills variables in unless literal.
func shellWord(s string, literal bool) string {
	if !literal && strings.Contains(s, "$") {
		return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// ableCommand is `destination enable` and `destination disable`.
func (a *console) ableCommand(action, short string) *cobra.Command {
	return &cobra.Command{
		Use: action + " TYPE/NAME", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeDestination(cmd.Context(), args[0], "/"+action)
		},
	}
}

func (a *console) changeDestination(ctx context.Context, ref, action string) error {
	kind, name, err := splitRef(ref)
	if err != nil {
		return err
	}
	d, err := post[admin.Destination](ctx, "/v1/destinations/"+url.PathEscape(kind)+"/"+url.PathEscape(name)+action, nil)
	if err != nil {
		return err
	}
	return a.show(d, func() { a.printDestinations([]admin.Destination{d}) })
}

func (a *console) showDestinationCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show TYPE/NAME", Short: "show one destination and its state", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, _, err := splitRef(args[0]); err != nil {
				return err
			}
			d, err := get[admin.Destination](cmd.Context(), "/v1/destinations/"+args[0], nil)
			if err != nil {
				return err
			}
			return a.printJSON(d)
		},
	}
}

// testDestinationCommand fails unless the destination takes the message.
func (a *console) testDestinationCommand() *cobra.Command {
	return &cobra.Command{
		Use: "test TYPE/NAME", Short: "send a made-up incident to one destination, marked as a test", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, _, err := splitRef(args[0]); err != nil {
				return err
			}
			t, err := post[admin.Attempt](cmd.Context(), "/v1/destinations/"+args[0]+"/test", nil)
			if err != nil {
				return err
			}
			if err := a.show(t, func() { a.printAttempts([]admin.Attempt{t}) }); err != nil || t.Fault == "" {
				return err
			}
			return &exitError{exitGateway, errors.New("the destination didn't take it")}
		},
	}
}
