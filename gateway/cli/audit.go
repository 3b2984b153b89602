package cli

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bellcrank.example/gateway/admin"
	"bellcrank.example/gateway/app"
)

// audit is what a whole audit has found.
type audit struct {
	Receipts   int            `json:"receipts"`
	Versions   int            `json:"versions"`
	Counted    int            `json:"receipts_counted"` // in whole hours, when they were stored
	ReceiptsIn map[string]int `json:"receipts_by_state"`
	Deliveries map[string]int `json:"deliveries_by_state"`
	Owed       []admin.Owing  `json:"owed"` // the oldest of each part
	Gaps       []admin.Gap    `json:"gaps"` // the first 1000
	MoreGaps   int            `json:"more_gaps,omitempty"`
}

const maxGaps = 1000

func (a *console) auditCommand() *cobra.Command {
	since := "24h"
	cmd := &cobra.Command{
		Use: "audit", Short: "prove that every request reached an end and every change its destinations", Args: cobra.NoArgs,
		Long: "audit looks at every receipt and every version of an incident since a time: each must have reached an end or be\n" +
			"owed still. It exits 3 if something was promised, isn't done and isn't owed any more.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := runAudit(cmd.Context(), since)
			if err != nil {
				return err
			}
			if err := a.show(found, func() { a.printAudit(found, since) }); err != nil {
				return err
			}
			if len(found.Gaps) > 0 {
				return &exitError{code: exitDiffers}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&since, "since", since, "an age such as 24h, or a time")
	return cmd
}

// runAudit asks page by page, from one moment on.
func runAudit(ctx context.Context, since string) (audit, error) {
	found := audit{ReceiptsIn: map[string]int{}, Deliveries: map[string]int{}, Owed: []admin.Owing{}, Gaps: []admin.Gap{}}
	query := url.Values{"since": {since}}
	for {
		page, err := get[admin.Audit](ctx, "/v1/audit", query)
		if err != nil {
			return found, err
		}
		found.add(page)
		if page.Next == "" {
			return found, nil
		}
		query.Set("after", page.Next)
	}
}

// add takes a page's findings over. Those on their way are in the order of
// their age, so the first ones are kept.
func (f *audit) add(page admin.Audit) {
	states := f.Deliveries
	switch page.Part {
	case "receipts":
		f.Receipts += page.Checked
		states = f.ReceiptsIn
	case "versions":
		f.Versions += page.Checked
	default:
		f.Counted += page.Checked
	}
	for state, n := range page.States {
		states[state] += n
	}
	room := min(len(page.Gaps), maxGaps-len(f.Gaps))
	f.Gaps = append(f.Gaps, page.Gaps[:room]...)
	f.MoreGaps += len(page.Gaps) - room
	f.Owed = append(f.Owed, page.Owed[:min(len(page.Owed), max(0, 40-len(f.Owed)))]...)
}

func (a *console) printAudit(f audit, since string) {
	fmt.Fprintf(a.out, "since %s\n", since)
	fmt.Fprintf(a.out, "receipts    %d%s\n", f.Receipts, byState(f.ReceiptsIn))
	fmt.Fprintf(a.out, "versions    %d\n", f.Versions)
	fmt.Fprintf(a.out, "deliveries  %s\n", strings.TrimPrefix(byState(f.Deliveries), ": "))
	fmt.Fprintf(a.out, "counted     %d receipts in whole hours, when they were stored\n", f.Counted)
	for _, o := range f.Owed {
		fmt.Fprintf(a.out, "owed        %s: %s, from %s%s\n", printable(o.Subject), o.State, ago(o.Since.Time, app.Now()), before(", ", printable(clip(o.Detail, 80))))
	}
	for _, g := range f.Gaps {
		fmt.Fprintf(a.out, "GAP         %s: %s: %s\n", g.Kind, printable(g.Subject), printable(g.Detail))
	}
	if f.MoreGaps > 0 {
		fmt.Fprintf(a.out, "and %d gaps more\n", f.MoreGaps)
	}
	if len(f.Gaps) == 0 {
		fmt.Fprintln(a.out, "no gap: everything has reached an end or is owed")
	}
}

func byState(states map[string]int) string {
	var words []string
	for _, state := range slices.Sorted(maps.Keys(states)) {
		words = append(words, fmt.Sprintf("%d %s", states[state], state))
	}
	if len(words) == 0 {
		return ""
	}
	return ": " + strings.Join(words, ", ")
}
