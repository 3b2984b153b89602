package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"bellcrank.example/gateway/admin"
)

func (a *console) restartCommand() *cobra.Command {
	return &cobra.Command{
		Use: "restart NAME", Short: "replace a plugin's process by another one of the same executable", Args: cobra.ExactArgs(1),
		Long: "Starts and checks the new process first, moves the traffic, and lets the old one's calls end. If the new one doesn't start, the old one serves on.",
		RunE: func(cmd *cobra.Command, args []string) error { return a.order(cmd.Context(), args[0], "restart", nil) },
	}
}

func (a *console) swapCommand() *cobra.Command {
	return &cobra.Command{
		Use: "swap NAME VERSION", Short: "have another pinned version of a plugin serve", Args: cobra.ExactArgs(2),
		Long: "As restart, with another version that a lock file or manifest pins. It serves until the next reload, which goes by the configuration: name the version there to keep it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.order(cmd.Context(), args[0], "swap", url.Values{"version": {args[1]}})
		},
	}
}

func (a *console) rollbackCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rollback NAME", Short: "go back to what served before the last swap", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.order(cmd.Context(), args[0], "rollback", nil) },
	}
}

// order asks the gateway for another process and says which one serves then.
func (a *console) order(ctx context.Context, plugin, what string, query url.Values) error {
	p, err := ask[admin.Plugin](ctx, http.MethodPost, "/v1/plugins/"+url.PathEscape(plugin)+"/"+what, query)
	if err != nil {
		return err
	}
	return a.show(p, func() {
		fmt.Fprintf(a.out, "%s %s is %s, pid %d, sha256 %s\n", p.Name, p.Version, p.State, p.PID, clip(p.SHA256, 12))
	})
}
