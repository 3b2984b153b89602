package cli

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"bellcrank.example/gateway/scaffold"
)

func (a *console) pluginNewCommand() *cobra.Command {
	c, sample := scaffold.Config{Version: Version}, ""
	cmd := &cobra.Command{
		Use:   "new NAME [-lang LANGUAGE] [-from BODY]",
		Short: "make the folder of a new plugin, which builds, tests and runs at once",
		Long: "Drafts an adapter from one body that the vendor has sent, by the names and values of its members, with a\n" +
			"case for the problem and one for its end. Look at what it says it has drafted: it can't know what a vendor\n" +
			"means. -from - is standard input; without -from it begins with a body that is made up.",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c.Name = args[0]
			return a.pluginNew(c, sample)
		},
	}
	cmd.Flags().StringVar(&c.Language, "lang", "go", "programming language: "+strings.Join(scaffold.Languages(), ", "))
	cmd.Flags().StringVar(&sample, "from", "", "a body that the vendor has sent")
	cmd.Flags().StringVarP(&c.Dir, "out", "o", "", "the folder to make (default ./NAME)")
	cmd.Flags().StringVar(&c.SDK, "sdk", "", "build against this checkout of bellcrank, instead of the SDK in this program")
	return cmd
}

// drafted is what `plugin new` prints.
type drafted struct {
	Folder string         `json:"folder"`
	Files  []string       `json:"files"`
	Read   []scaffold.Row `json:"read"`
	Next   []string       `json:"next"`
}

func (a *console) pluginNew(c scaffold.Config, sample string) (err error) {
	if sample != "" {
		if c.Sample, err = a.readFile(sample); err != nil {
			return err
		}
		if len(c.Sample) == 0 {
			return fmt.Errorf("%s is empty", sample)
		}
	}
	p, files, err := scaffold.New(c)
	if err != nil {
		return err
	}
	out := drafted{Folder: p.Dir, Files: files, Read: p.Draft.Rows()}
	for _, step := range p.Next {
		out.Next = append(out.Next, step.Command)
	}
	return a.show(out, func() { a.printNew(p, out) })
}

func (a *console) printNew(p *scaffold.Plugin, out drafted) {
	authors, sdk := 0, 0
	for _, file := range out.Files {
		if strings.HasPrefix(file, "bellcrank"+string(filepath.Separator)) {
			sdk++
		} else {
			authors++
			fmt.Fprintln(a.out, filepath.Join(out.Folder, file))
		}
	}
	if sdk > 0 {
		fmt.Fprintf(a.out, "%s (the SDK, %s)\n", filepath.Join(out.Folder, "bellcrank"), counted(sdk, "file"))
	}
	fmt.Fprintln(a.out)
	var rows [][]any
	for _, m := range out.Read {
		rows = append(rows, []any{m.As, m.Member, clip(cmp.Or(printable(m.Value), "–"), 50)})
	}
	a.printTable([]any{"part of an event", "drafted from", "in the sample"}, rows)
	fmt.Fprintln(a.out, "\nNext:")
	for _, step := range p.Next {
		line := "  " + step.Command
		if step.Why != "" {
			line = fmt.Sprintf("  %-46s # %s", step.Command, step.Why)
		}
		fmt.Fprintln(a.out, line)
	}
}
