package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bellcrank.example/core/pluginhost"
	"bellcrank.example/sdk"
)

func (a *console) inspectCommand() *cobra.Command {
	snippet := false
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "say what a plugin executable declares, its checksum, and how to configure it",
		Long: "Runs the executable once with -describe. What it prints last is a piece of configuration with every setting,\n" +
			"its default and what it is for; with -hcl it prints nothing else.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			entry, err := describe(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if snippet {
				_, err := fmt.Fprint(a.out, snippetOf(entry.Info))
				return err
			}
			return a.show(entry, func() { a.printEntry(entry) })
		},
	}
	cmd.Flags().BoolVar(&snippet, "hcl", false, "print the piece of configuration alone")
	return cmd
}

func (a *console) printEntry(e pluginhost.LockEntry) {
	i := e.Info
	fmt.Fprintf(a.out, "%s %s (%s)\n%s\n\n", i.Name, e.Version, e.Type, i.Summary)
	sender, order := string(cmp.Or(i.Sender, sdk.Machine)), string(cmp.Or(i.EventTime, sdk.Arrival))
	if i.Role == sdk.RoleDestination {
		sender, order = "", "" // it reads no requests
	}
	for _, line := range [][2]string{
		{"sha256", e.SHA256[pluginhost.Platform()]},
		{"documents", i.DocsURL},
		{"role", i.Role},
		{"sender", sender}, {"order", order},
		{"methods", strings.Join(i.Methods, ", ")},
		{"entrances", strings.Join(entrancesOf(i), ", ")},
		{"headers", strings.Join(i.Headers, ", ")},
		{"signatures", strings.Join(signaturesOf(i), ", ")},
		{"samples", strings.Join(samplesOf(i), ", ")},
	} {
		if line[1] != "" {
			fmt.Fprintf(a.out, "%-11s %s\n", line[0], printable(line[1]))
		}
	}
	if i.Setup != "" {
		fmt.Fprintf(a.out, "\n%s\n", strings.TrimSpace(i.Setup))
	}
	fmt.Fprintf(a.out, "\n%s", snippetOf(i))
}

func entrancesOf(i sdk.Info) (list []string) {
	for _, e := range i.Entrances {
		list = append(list, e.Method+" "+e.Path)
	}
	return list
}

func signaturesOf(i sdk.Info) (list []string) {
	for _, s := range i.Signatures {
		name := s.Name
		if s.Optional {
			name += " (if the vendor is told to sign)"
		}
		list = append(list, name)
	}
	return list
}

func samplesOf(i sdk.Info) (list []string) {
	for _, s := range i.Samples {
		list = append(list, s.Name)
	}
	return list
}

// snippetOf is an integration with all that the adapter can be told. What has a
// default, or may be left out, is a comment.
func snippetOf(i sdk.Info) string {
	var out bytes.Buffer
	variable := strings.ToUpper(strings.ReplaceAll(i.Type, "-", "_"))
	if i.Role == sdk.RoleDestination {
		fmt.Fprintf(&out, "destination %q \"production\" {\n", i.Type)
	} else {
		fmt.Fprintf(&out, "integration %q \"production\" {\n  routing_key \"main\" {\n    value = env(\"%s_KEY\")\n  }\n", i.Type, variable)
	}
	signs := func(s sdk.SignatureScheme) bool { return s.NeedsSecret() }
	if slices.ContainsFunc(i.Signatures, signs) {
		comment := "# "
		if slices.ContainsFunc(i.Signatures, func(s sdk.SignatureScheme) bool { return signs(s) && !s.Optional }) {
			comment = ""
		}
		fmt.Fprintf(&out, "  %ssigning_secrets = [env(\"%s_SECRET\")]\n", comment, variable)
	}
	if len(i.Settings) > 0 {
		out.WriteString("  settings {\n")
		writeSettings(&out, i.Settings, "    ", false)
		out.WriteString("  }\n")
	}
	out.WriteString("}\n")
	return out.String()
}

// writeSettings writes one setting after the other, each under its document.
func writeSettings(out *bytes.Buffer, settings []sdk.Setting, indent string, within bool) {
	for i, s := range settings {
		if i > 0 {
			fmt.Fprintln(out, strings.TrimRight(indent, " "))
		}
		comment := indent + "# "
		for _, line := range documentOf(s) {
			fmt.Fprintln(out, comment+line)
		}
		if s.Required && !within {
			comment = indent
		}
		if s.Type != sdk.TypeBlocks {
			fmt.Fprintf(out, "%s%s = %s\n", comment, s.Name, exampleOf(s))
			continue
		}
		fmt.Fprintf(out, "%s%s \"NAME\" {\n", comment, s.Name)
		writeSettings(out, s.Settings, comment+"  ", true)
		fmt.Fprintf(out, "%s}\n", comment)
	}
}

// documentOf says what a setting is for, and what it takes.
func documentOf(s sdk.Setting) []string {
	doc := []string{printable(s.Doc)}
	if len(s.Enum) > 0 {
		doc = append(doc, "One of "+strings.Join(s.Enum, ", ")+".")
	}
	if len(s.Reads) > 0 {
		doc = append(doc, "An expression over "+strings.Join(s.Reads, ", ")+".")
	}
	if s.Required {
		doc = append(doc, "Required.")
	}
	return slices.DeleteFunc(doc, func(line string) bool { return line == "" })
}

// exampleOf is the default as HCL writes it, or something of the right type.
// JSON is HCL but for what would be a template.
func exampleOf(s sdk.Setting) string {
	var line bytes.Buffer
	if err := json.Compact(&line, s.Default); err == nil && line.Len() > 0 && line.String() != "null" {
		return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(line.String())
	}
	if s.Secret {
		return fmt.Sprintf("env(%q)", strings.ToUpper(s.Name))
	}
	switch s.Type {
	case sdk.TypeBool:
		return "false"
	case sdk.TypeNumber:
		return "0"
	case sdk.TypeList:
		return "[]"
	case sdk.TypeMap:
		return "{}"
	case sdk.TypeExpression:
		return "body.member"
	}
	if len(s.Enum) > 0 {
		return fmt.Sprintf("%q", s.Enum[0])
	}
	return `""`
}
