package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bellcrank.example/core"
	"bellcrank.example/core/pluginhost"
	"bellcrank.example/sdk"
	"bellcrank.example/sdk/sdktest"
)

// kitCommands are for those who write plugins. They run executables that a
// person names, pinned or not, and need no server.
func (a *console) kitCommands() []*cobra.Command {
	return []*cobra.Command{a.pluginNewCommand(), a.pluginRunCommand(), a.pluginTestCommand(), a.pluginVerifyCommand()}
}

func (a *console) pluginRunCommand() *cobra.Command {
	f, body := adaptFlags{}, runBody{}
	cmd := &cobra.Command{
		Use:   "run FILE -file BODY | -case FOLDER",
		Short: "run a plugin executable on one body, and show the events that it makes",
		Long: "Runs the executable as the gateway would, pinned or not, asks it once, and ends it. -file - is standard\n" +
			"input; -case takes the request of a recorded case, with its headers. What the plugin logs goes to standard error. Exits with 3 if the plugin can't read the body, with\n" +
			"1 if it fails.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.pluginRun(cmd.Context(), args[0], body, f)
		},
	}
	cmd.Flags().StringVar(&body.file, "file", "", "the body")
	cmd.Flags().StringVar(&body.folder, "case", "", "folder with a request.json")
	cmd.Flags().StringVar(&body.settings, "settings", "", "settings of the integration, as JSON")
	f.register(cmd)
	cmd.MarkFlagsOneRequired("file", "case")
	cmd.MarkFlagsMutuallyExclusive("file", "case")
	return cmd
}

// runBody says where the request of `plugin run` comes from.
type runBody struct{ file, folder, settings string }

// request is the request without its integration. What the command line says
// about it goes above what was recorded.
func (b runBody) request(a *console, f *adaptFlags) (r sdk.Request, err error) {
	if b.folder == "" {
		r.Body, err = a.readFile(b.file)
	} else if r, err = sdktest.ReadRequest(filepath.Join(b.folder, "request.json")); err == nil {
		f.recorded(r)
	}
	r.Settings = []byte(cmp.Or(b.settings, string(r.Settings), "{}"))
	return r, err
}

func (a *console) pluginRun(ctx context.Context, path string, body runBody, f adaptFlags) error {
	entry, err := describe(ctx, path)
	if err != nil {
		return err
	}
	given, err := body.request(a, &f)
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	in := &core.Integration{
		Tenant: core.DefaultTenant, Type: entry.Type, Name: "run", Plugin: entry.Name, Info: entry.Info, Settings: given.Settings,
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
	request.Body = given.Body
	result, err := callOnce(ctx, spec, request)
	return a.printAdapted(adaptedOf(in, result, err))
}

func (a *console) pluginTestCommand() *cobra.Command {
	p, settings := sdktest.Process{}, ""
	cmd := &cobra.Command{
		Use:   "test FILE [-cases DIR] [-- ARG...]",
		Short: "hold a plugin executable, in any language, to the contract",
		Long: "Runs the conformance kit: the description, the recorded cases, pairs of trigger and resolve, samples,\n" +
			"hostile bodies, cancellation, many calls at once, and what the process leaves behind. A case is a folder\n" +
			"with request.json and want.json. -update writes want.json anew; look at the difference before you accept\n" +
			"it. A destination is asked to deliver, and given every kind of answer; it needs its -settings. Exits with 3 if a check fails.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			program, err := pluginhost.ProgramOf(args[0])
			if err != nil {
				return err
			}
			p.Settings = json.RawMessage(settings)
			p.Path, p.Args, p.Output = program.Path, slices.Concat(program.Args, args[1:]), a.err
			return a.pluginTest(cmd.Context(), p, cmp.Or(program.Folder, filepath.Dir(program.Path)))
		},
	}
	cmd.Flags().StringVar(&p.Cases, "cases", "", "folder of the cases, such as testdata; default: those beside the executable")
	cmd.Flags().StringVar(&settings, "settings", "{}", "settings of a destination, as JSON")
	cmd.Flags().BoolVar(&p.Update, "update", false, "write what the plugin answers into want.json")
	return cmd
}

func (a *console) pluginTest(ctx context.Context, p sdktest.Process, folder string) error {
	if beside := filepath.Join(folder, "testdata"); p.Cases == "" && hasCases(beside) {
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

func (a *console) pluginVerifyCommand() *cobra.Command {
	var paths []string
	cmd := &cobra.Command{
		Use:   "verify -config PATH",
		Short: "check that the plugins of a configuration are there and are what was pinned",
		Long:  "Checks each executable as the gateway does before it starts it, without running it. Exits with 1 if one\nwould be refused.",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return a.pluginVerify(paths) },
	}
	cmd.Flags().StringArrayVar(&paths, "config", nil, "configuration file or folder; may be repeated")
	_ = cmd.MarkFlagRequired("config") // the flag is there
	return cmd
}

// verified is the outcome for one plugin.
type verified struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version"`
	Path    string `json:"path"`
	SHA256  string `json:"sha256"`
	Remark  string `json:"remark,omitempty"`
	Error   string `json:"error,omitempty"`
}

func (a *console) pluginVerify(paths []string) error {
	l, err := newLoader(paths, os.LookupEnv)
	if err != nil {
		return err
	}
	c, err := a.load(l)
	if err != nil {
		return err
	}
	specs, err := l.specs(c)
	if err != nil {
		return err
	}
	list, refused := make([]verified, len(specs)), 0
	for i, s := range specs {
		list[i] = verified{Plugin: s.Name, Version: s.Version, Path: s.Path, SHA256: s.SHA256}
		if list[i].Remark, err = pluginhost.Verify(s); err != nil {
			list[i].Error = err.Error()
			refused++
		}
	}
	if err := a.show(list, func() { a.printVerified(list) }); err != nil {
		return err
	}
	if refused > 0 {
		return fmt.Errorf("%s would be refused", counted(refused, "plugin"))
	}
	return nil
}

func (a *console) printVerified(list []verified) {
	var rows [][]any
	for _, v := range list {
		says := cmp.Or(v.Error, v.Remark, "as pinned")
		rows = append(rows, []any{v.Plugin, v.Version, clip(v.SHA256, 12), says})
	}
	a.printTable([]any{"plugin", "version", "sha256", "it is"}, rows)
}
