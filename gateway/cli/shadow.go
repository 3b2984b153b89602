package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"bellcrank.example/core/pluginhost"
	"bellcrank.example/gateway/admin"
)

func (a *console) shadowCommand() *cobra.Command {
	off := false
	cmd := &cobra.Command{
		Use:   "shadow NAME [VERSION]",
		Short: "have another pinned version of a plugin read along, and say what it would change",
		Long: "With VERSION, that version is started beside the one that serves, and reads whatever that one reads from\n" +
			"then on. What it says comes to nothing; it is compared field by field. It stands behind everybody else:\n" +
			"when it is too slow it misses requests, and what it does wrong is counted. It ends with -off and with the\n" +
			"next reload, which goes by the plugin's block: name the version there as shadow to keep it.\n" +
			"Without VERSION, says what it has found so far; exits with 3 if there are differences.",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case off && len(args) == 2:
				return errors.New("-off takes no version")
			case len(args) == 2:
				return a.order(cmd.Context(), args[0], "shadow", url.Values{"version": {args[1]}})
			case off:
				return a.tellShadow(cmd.Context(), http.MethodDelete, args[0])
			}
			return a.tellShadow(cmd.Context(), http.MethodGet, args[0])
		},
	}
	cmd.Flags().BoolVar(&off, "off", false, "end it, after a last report")
	return cmd
}

func (a *console) tellShadow(ctx context.Context, method, plugin string) error {
	report, err := ask[pluginhost.ShadowReport](ctx, method, "/v1/plugins/"+url.PathEscape(plugin)+"/shadow", nil)
	if err != nil {
		return err
	}
	if err := a.show(report, func() { a.printShadow(plugin, report) }); err != nil {
		return err
	}
	if report.Different > 0 {
		return &exitError{code: exitDiffers}
	}
	return nil
}

func (a *console) printShadow(plugin string, r pluginhost.ShadowReport) {
	var rows [][]any
	for _, s := range r.Samples {
		for _, d := range s.Differences {
			rows = append(rows, []any{s.Receipt, s.Integration, d.Field, clip(cmp.Or(d.Old, "–"), 40), clip(cmp.Or(d.New, "–"), 40)})
		}
		if s.More > 0 {
			rows = append(rows, []any{s.Receipt, s.Integration, fmt.Sprintf("and %d more", s.More), "", ""})
		}
	}
	if len(rows) > 0 {
		a.printTable([]any{"receipt", "integration", "field", "old", "new"}, rows)
	}
	for _, field := range slices.Sorted(maps.Keys(r.Fields)) {
		fmt.Fprintf(a.out, "%s differs in %s\n", field, counted(r.Fields[field], "request"))
	}
	for _, fault := range slices.Sorted(maps.Keys(r.Failed)) {
		fmt.Fprintf(a.out, "it gave no answer to %s: %s\n", counted(r.Failed[fault], "request"), fault)
	}
	fmt.Fprintf(a.out, "%s %s reads along since %s: %s compared, %d of them different, %d missed\n", plugin, r.Version,
		admin.Time{Time: r.Since}, counted(r.Compared, "request"), r.Different, r.Dropped)
}
