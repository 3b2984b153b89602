package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bellcrank.example/gateway/admin"
)

func (a *console) reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "have the gateway read its configuration again, and hear what came of it", Args: cobra.NoArgs,
		Long: "The gateway reads the files that it was started with. A mistake in them changes nothing: it is shown, and the\n" +
			"old configuration stays in force. SIGHUP does the same, and tells it in the log.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := post[admin.Reloaded](cmd.Context(), "/v1/reload", nil)
			if err != nil {
				return err
			}
			return a.show(r, func() {
				fmt.Fprintf(a.out, "reloaded: %s, %s, %s\n", counted(r.Integrations, "integration"), counted(r.Destinations, "destination"), counted(r.Routes, "route"))
				if len(r.NeedsRestart) > 0 {
					fmt.Fprintf(a.out, "waiting for a restart: %s\n", strings.Join(r.NeedsRestart, ", "))
				}
			})
		},
	}
}
