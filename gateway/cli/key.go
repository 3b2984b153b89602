package cli

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"bellcrank.example/core/keyring"
)

func (a *console) keyCommand() *cobra.Command {
	newKey := &cobra.Command{
		Use:   "new",
		Short: "make a routing key",
		Long: "Makes a routing key and its SHA-256. Put the hash into routing_key { sha256 = … } and the key\n" +
			"into the vendor's webhook URL; the key itself need not be in any of our files.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			key, err := keyring.NewKey(rand.Reader)
			if err != nil {
				return err
			}
			sum := sha256.Sum256([]byte(key))
			hash := hex.EncodeToString(sum[:])
			if a.json {
				return a.printJSON(map[string]string{"key": key, "sha256": hash})
			}
			fmt.Fprintf(a.out, "key     %s\nsha256  %s\n", key, hash)
			return nil
		},
	}
	return group("key", "routing keys", newKey)
}

func (a *console) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(map[string]string{"version": Version, "commit": Commit, "go": runtime.Version()})
			}
			fmt.Fprintf(a.out, "bellcrank %s (%s, %s, %s/%s)\n", Version, Commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
