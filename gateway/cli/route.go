package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bellcrank.example/core"
	"bellcrank.example/gateway/admin"
	"bellcrank.example/gateway/app"
	"bellcrank.example/sdk"
)

// routeFlags are the flags of route test.
type routeFlags struct {
	config      []string
	integration string
	file        string
	request     string
	headers     []string
	labels      []string
	made        admin.TrialIncident
}

func (a *console) routeCommand() *cobra.Command {
	var f routeFlags
	test := &cobra.Command{
		Use:   "test",
		Short: "show who would hear of a request or an incident, and what each route says",
		Long: "Tries a payload on an integration, a stored request, or an incident that the flags make up. With -config\n" +
			"it needs no gateway; else the running one is asked. Nothing is stored and nobody is told.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.routeTest(cmd.Context(), f) },
	}
	flags := test.Flags()
	flags.StringArrayVar(&f.config, "config", nil, "configuration file or folder; may be repeated")
	flags.StringVar(&f.integration, "integration", "", "TYPE/NAME")
	flags.StringVar(&f.file, "file", "", "a body that is sent to the integration; - is standard input")
	flags.StringArrayVar(&f.headers, "header", nil, "a header of it, 'Name: value'; may be repeated")
	flags.StringVar(&f.request, "request", "", "the receipt of a stored request, instead of a file; not with -config")
	flags.StringVar(&f.made.Severity, "severity", "", "of an incident that is made up; Medium if not given")
	flags.StringVar(&f.made.Service, "service", "", "its service")
	flags.StringVar(&f.made.Title, "title", "", "its title")
	flags.StringArrayVar(&f.labels, "label", nil, "a label of it, NAME=VALUE; may be repeated")
	flags.BoolVar(&f.made.Test, "test", false, "it is a test")
	return group("route", "routes", test)
}

func (a *console) routeTest(ctx context.Context, f routeFlags) error {
	asked, err := a.trialOf(f)
	if err != nil {
		return err
	}
	var answer admin.TrialAnswer
	if len(f.config) == 0 {
		answer, err = send[admin.TrialAnswer](ctx, "/v1/routes/test", asked)
	} else {
		answer, err = a.tryOffline(ctx, f.config, asked)
	}
	if err != nil {
		return err
	}
	return a.show(answer, func() { a.printTrials(answer) })
}

// trialOf reads what is to be tried.
func (a *console) trialOf(f routeFlags) (admin.TrialRequest, error) {
	labels, err := parseLabels(f.labels)
	switch {
	case err != nil:
		return admin.TrialRequest{}, err
	case f.request != "" && len(f.config) > 0:
		return admin.TrialRequest{}, errors.New("-request asks the running gateway: leave -config out")
	case f.request != "":
		return admin.TrialRequest{Request: f.request}, nil
	case f.file != "" && f.integration == "":
		return admin.TrialRequest{}, errors.New("-file needs -integration")
	case f.file == "":
		made := f.made
		made.Integration, made.Labels = f.integration, labels
		return admin.TrialRequest{Incident: &made}, nil
	}
	header, err := parseHeaders(f.headers)
	if err != nil {
		return admin.TrialRequest{}, err
	}
	body, err := a.readFile(f.file)
	return admin.TrialRequest{Integration: f.integration, Header: header, Body: body}, err
}

// tryOffline tries against a configuration, with the adapter's own process.
func (a *console) tryOffline(ctx context.Context, paths []string, asked admin.TrialRequest) (admin.TrialAnswer, error) {
	loader, err := newLoader(paths, os.LookupEnv)
	if err != nil {
		return admin.TrialAnswer{}, err
	}
	c, err := a.load(loader)
	if err != nil {
		return admin.TrialAnswer{}, err
	}
	tree, err := app.NewTree(c, 1)
	if err != nil {
		return admin.TrialAnswer{}, err
	}
	t := &admin.Trier{Integrations: c.Integrations, Routes: tree, Now: app.Now()}
	if asked.Incident != nil {
		return t.Incident(*asked.Incident)
	}
	crew, err := loader.crew(ctx, c, asked.Integration)
	if err != nil {
		return admin.TrialAnswer{}, err
	}
	t.Ask = crew.ask
	answer, err := t.Request(ctx, asked.Core(app.Now()))
	return answer, errors.Join(err, crew.stop())
}

func (a *console) printTrials(answer admin.TrialAnswer) {
	for _, t := range answer.Trials {
		a.printTrial(t)
	}
	if answer.Ignored != "" {
		fmt.Fprintf(a.out, "ignored: %s\n", printable(answer.Ignored))
	}
	for _, note := range answer.Notes {
		fmt.Fprintf(a.out, "note: %s\n", printable(note))
	}
	if answer.Failure != "" {
		fmt.Fprintf(a.out, "the adapter can't read it: %s\n", printable(answer.Failure))
	}
}

func (a *console) printTrial(t admin.Trial) {
	fmt.Fprintf(a.out, "%s %s\n", t.Action, printable(strings.TrimSpace(string(t.Severity)+" "+t.Title)))
	for _, fact := range [][2]string{
		{"key", t.Key}, {"service", t.Service}, {"labels", labelLine(t.Labels)}, {"severity", t.SeverityRule}, {"group", t.Group}, {"held by", t.HeldBy},
	} {
		if fact[1] != "" {
			fmt.Fprintf(a.out, "  %-9s %s\n", fact[0], printable(fact[1]))
		}
	}
	if t.Action != sdk.Trigger {
		fmt.Fprintln(a.out, "  told to whoever was told of the incident")
		return
	}
	for _, r := range t.Routes {
		a.printRoute(r)
	}
	told := "nobody"
	if len(t.Destinations) > 0 {
		told = strings.Join(t.Destinations, ", ")
	}
	fmt.Fprintf(a.out, "  told to   %s\n", told)
}

func (a *console) printRoute(r admin.RouteSaid) {
	name, mark := "route "+r.Route, "no "
	if r.Route == "" {
		name = "otherwise"
	}
	line := r.Why
	if r.Matched {
		mark = "yes"
		if to := "-> " + strings.Join(r.Destinations, ", "); line == "" {
			line = to
		} else {
			line += " " + to
		}
	}
	fmt.Fprintf(a.out, "  %s %-20s %s\n", mark, name, printable(line))
}

// parseHeaders reads lines such as "Name: value".
func parseHeaders(lines []string) (http.Header, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("-header %q: want 'Name: value'", line)
		}
		header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return header, nil
}

// wanted returns those headers that the integration's adapter asks for.
func wanted(in *core.Integration, given http.Header) http.Header {
	header := http.Header{}
	for _, name := range in.Info.Headers {
		if values := given.Values(name); len(values) > 0 {
			header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
		}
	}
	return header
}

// trialTimeout bounds one call of a command that makes many.
const trialTimeout = 10 * time.Second
