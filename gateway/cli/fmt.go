package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"bellcrank.example/gateway/config"
)

func (a *console) fmtCommand() *cobra.Command {
	check := false
	cmd := &cobra.Command{
		Use:   "fmt [PATH…|-]",
		Short: "lay out configuration files the usual way",
		Long:  "Rewrites *.hcl files, or those of folders, and names the ones that it changed. - reads standard input.",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "-" {
				return a.formatStdin(check)
			}
			return a.formatFiles(args, check)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "change nothing; exit with 3 if a file would change")
	return cmd
}

func (a *console) formatStdin(check bool) error {
	source, err := io.ReadAll(a.in)
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	formatted := config.Format(source)
	switch {
	case !check:
		_, err = a.out.Write(formatted)
		return err
	case !bytes.Equal(source, formatted):
		return &exitError{code: exitDiffers}
	}
	return nil
}

func (a *console) formatFiles(paths []string, check bool) error {
	changed := 0
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(path, "*.hcl")); err != nil {
				return err
			}
		}
		for _, file := range files {
			differs, err := formatFile(file, check)
			if err != nil {
				return err
			}
			if differs {
				changed++
				fmt.Fprintln(a.out, file)
			}
		}
	}
	if check && changed > 0 {
		return &exitError{code: exitDiffers}
	}
	return nil
}

func formatFile(file string, check bool) (differs bool, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return false, err
	}
	source, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	formatted := config.Format(source)
	if bytes.Equal(source, formatted) {
		return false, nil
	}
	if check {
		return true, nil
	}
	return true, os.WriteFile(file, formatted, info.Mode().Perm())
}
