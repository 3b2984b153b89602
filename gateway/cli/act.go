package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"bellcrank.example/gateway/admin"
)

// deed is one thing that people do to incidents.
type deed struct {
	use, short string
	call       string // of the API
	done       string // what is printed
	text       string // what -text is
	needs      string // a flag that must be given
}

func (a *console) actCommands() []*cobra.Command {
	deeds := []deed{
		{"ack", "acknowledge incidents", "acknowledge", "acknowledged", "a remark", ""},
		{"resolve", "say that incidents are over", "resolve", "resolved", "why", ""},
		{"reopen", "say that incidents aren't over", "reopen", "reopened", "why", ""},
		{"note", "put a note on incidents", "note", "noted", "the note", "text"},
		{"assign", "give incidents to another service", "assign", "assigned", "why", "service"},
	}
	commands := make([]*cobra.Command, len(deeds))
	for i, d := range deeds {
		commands[i] = a.actCommand(d)
	}
	return commands
}

func (a *console) actCommand(d deed) *cobra.Command {
	var body admin.Act
	cmd := &cobra.Command{
		Use: d.use + " INC-n...", Short: d.short, Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if body.Version != 0 && len(args) > 1 {
				return errors.New("-version says which version of one incident was seen: name only one")
			}
			body.Author = cmp.Or(body.Author, whoAmI())
			return a.act(cmd.Context(), d, args, body)
		},
	}
	cmd.Flags().StringVar(&body.Author, "author", "", "who does it; the user of this machine if empty")
	cmd.Flags().StringVar(&body.Text, "text", "", d.text)
	cmd.Flags().IntVar(&body.Version, "version", 0, "do it only while the incident has this version")
	if d.call == "assign" {
		cmd.Flags().StringVar(&body.Service, "service", "", "the service that it is given to")
	}
	if d.needs != "" {
		_ = cmd.MarkFlagRequired(d.needs) // the flag is there
	}
	return cmd
}

// act does the same to several incidents. One that can't be done doesn't keep
// the others from it.
func (a *console) act(ctx context.Context, d deed, names []string, body admin.Act) error {
	done := []admin.Acted{}
	var failed error
	for _, name := range names {
		acted, err := send[admin.Acted](ctx, "/v1/incidents/"+url.PathEscape(name)+"/"+d.call, body)
		if err != nil {
			failed = err
			fmt.Fprintf(a.err, "%s: %v\n", name, err)
			continue
		}
		done = append(done, acted)
	}
	err := a.show(done, func() {
		for _, acted := range done {
			word := d.done
			if !acted.Changed {
				word = "nothing to do: " + string(acted.Incident.Status)
			}
			fmt.Fprintf(a.out, "%s  %s  %s\n", acted.Incident.ID, word, printable(clip(acted.Incident.Title, 60)))
		}
	})
	if failed != nil {
		code := exitGateway
		if exit, ok := errors.AsType[*exitError](failed); ok {
			code = exit.code
		}
		return &exitError{code: code}
	}
	return err
}
