package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"bellcrank.example/core"
	"bellcrank.example/core/pluginhost"
	"bellcrank.example/sdk/sdktest"
)

// kitCommands are for those who write plugins. They run executables that a
// person names, pinned or not, and need no server.
func (a *console) kitCommands() []*cobra.Command {
	return []*cobra.Command{a.pluginRunCommand(), a.pluginTestCommand()}
}

func (a *console) pluginRunCommand() *cobra.Command {
	f, file, settings := adaptFlags{}, "", ""
	cmd := &cobra.Command{
		Use:   "run FILE -file BODY",
		Short: "run a plugin executable on one body, and show the events that it makes",
		Long: "Runs the executable as the gateway would, pinned or not, asks it once, and ends it. -file - is standard\n" +
			"input. What the plugin logs goes to standard error. Exits with 3 if the plugin can't read the body, with\n" +
			"1 if it fails.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.pluginRun(cmd.Context(), args[0], file, settings, f)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "the body")
	cmd.Flags().StringVar(&settings, "settings", "{}", "settings of the integration, as JSON")
	f.register(cmd)
	_ = cmd.MarkFlagRequired("file") // the flag is there
	return cmd
}

func (a *console) pluginRun(ctx context.Context, path, file, settings string, f adaptFlags) error {
	entry, err := describe(ctx, path)
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	in := &core.Integration{
		Tenant: core.DefaultTenant, Type: entry.Type, Name: "run", Plugin: entry.Name, Info: entry.Info, Settings: []byte(settings),
	}
	spec := pluginhost.Spec{
		Name: entry.Name, Type: entry.Type, Version: entry.Version, Path: absolute,
		SHA256: entry.SHA256[pluginhost.Platform()], Info: &entry.Info,
	}
	spec.Instances = map[string]json.RawMessage{in.ID(): in.Settings}
	request, err := f.request(in)
	if err != nil {
		return err
	}
	if request.Body, err = a.readFile(file); err != nil {
		return err
	}
	result, err := callOnce(ctx, spec, request)
	return a.printAdapted(adaptedOf(in, result, err))
}

func (a *console) pluginTestCommand() *cobra.Command {
	p := sdktest.Process{}
	cmd := &cobra.Command{
		Use:   "test FILE [-cases DIR] [-- ARG...]",
		Short: "hold a plugin executable, in any language, to the contract",
		Long: "Runs the conformance kit: the description, the recorded cases, pairs of trigger and resolve, samples,\n" +
			"hostile bodies, cancellation, many calls at once, and what the process leaves behind. A case is a folder\n" +
			"with request.json and want.json. -update writes want.json anew; look at the difference before you accept\n" +
			"it. Exits with 3 if a check fails.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Path, p.Args, p.Output = args[0], args[1:], a.err
			return a.pluginTest(cmd.Context(), p)
		},
	}
	cmd.Flags().StringVar(&p.Cases, "cases", "", "folder of the cases, such as testdata; default: those beside the executable")
	cmd.Flags().BoolVar(&p.Update, "update", false, "write what the plugin answers into want.json")
	return cmd
}

func (a *console) pluginTest(ctx context.Context, p sdktest.Process) error {
	if beside := filepath.Join(filepath.Dir(p.Path), "testdata"); p.Cases == "" && hasCases(beside) {
		p.Cases = beside
	}
	report, err := sdktest.CheckProcess(ctx, p)
	if err != nil {
		return err
	}
	if err := a.show(reportJSON(report), func() { a.printReport(report) }); err != nil {
		return err
	}
	if report.Failed() > 0 {
		return &exitError{code: exitDiffers}
	}
	return nil
}

func hasCases(dir string) bool {
	files, err := filepath.Glob(filepath.Join(dir, "*", "request.json"))
	return err == nil && len(files) > 0
}

type checkJSON struct {
	Check      string   `json:"check"`
	Passed     bool     `json:"passed"`
	Complaints []string `json:"complaints,omitempty"`
}

func reportJSON(r *sdktest.Report) []checkJSON {
	list := make([]checkJSON, len(r.Checks))
	for i, c := range r.Checks {
		list[i] = checkJSON{Check: c.Name, Passed: len(c.Complaints) == 0, Complaints: c.Complaints}
	}
	return list
}

func (a *console) printReport(r *sdktest.Report) {
	for _, c := range r.Checks {
		if len(c.Complaints) == 0 {
			fmt.Fprintln(a.out, "ok    ", c.Name)
			continue
		}
		fmt.Fprintln(a.out, "FAILED", c.Name)
		for _, complaint := range c.Complaints {
			fmt.Fprintln(a.out, "  ", strings.ReplaceAll(clip(complaint, 2000), "\n", "\n   "))
		}
	}
	fmt.Fprintf(a.out, "%d checks, %d failed\n", len(r.Checks), r.Failed())
}
