package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bellcrank.example/core"
	"bellcrank.example/gateway/app"
	"bellcrank.example/sdk"
	"bellcrank.example/sdk/client"
)

// adaptTimeout bounds one adapter call of a command.
const adaptTimeout = 10 * time.Second

// adaptFlags are the flags of adapt.
type adaptFlags struct {
	config  []string
	headers []string
	method  string
	path    string
	query   string
}

func (a *console) adaptCommand() *cobra.Command {
	var f adaptFlags
	cmd := &cobra.Command{
		Use:   "adapt TYPE[/NAME] FILE",
		Short: "show the events that an adapter makes of a body, without a server",
		Long: "Runs the adapter's own executable once. TYPE alone uses default settings; TYPE/NAME uses those of\n" +
			"that integration in -config. FILE - is standard input. A trigger always has the severity that its\n" +
			"incident would get. Exits with 3 if the adapter can't read the body.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return a.adapt(cmd.Context(), args[0], args[1], f) },
	}
	cmd.Flags().StringArrayVar(&f.config, "config", nil, "configuration file or folder, for TYPE/NAME; may be repeated")
	cmd.Flags().StringArrayVar(&f.headers, "header", nil, "a header of the request, 'Name: value'; may be repeated")
	cmd.Flags().StringVar(&f.method, "method", http.MethodPost, "its method")
	cmd.Flags().StringVar(&f.path, "path", "", "what follows the routing key in its path")
	cmd.Flags().StringVar(&f.query, "query", "", "its query string")
	return cmd
}

func (a *console) adapt(ctx context.Context, ref, file string, f adaptFlags) error {
	loader, err := newLoader(f.config, os.LookupEnv)
	if err != nil {
		return err
	}
	integration, err := a.integrationFor(loader, ref)
	if err != nil {
		return err
	}
	request, err := f.request(integration)
	if err != nil {
		return err
	}
	if request.Body, err = a.readFile(file); err != nil {
		return err
	}
	result, err := callOnce(ctx, loader, integration, request)
	return a.printAdapted(adaptedOf(integration, result, err))
}

// integrationFor returns the integration TYPE/NAME of the configuration, or
// one of TYPE with default settings.
func (a *console) integrationFor(l *loader, ref string) (*core.Integration, error) {
	kind, name, named := strings.Cut(ref, "/")
	entry, _, ok := l.find(kind, "", "")
	if !ok {
		return nil, fmt.Errorf("there is no adapter of type %q", kind)
	}
	if !named {
		return &core.Integration{Tenant: core.DefaultTenant, Type: kind, Name: "default", Plugin: kind, Info: entry.Info}, nil
	}
	if len(l.paths) == 0 {
		return nil, errors.New("TYPE/NAME needs -config")
	}
	c, err := a.load(l)
	if err != nil {
		return nil, err
	}
	for _, in := range c.Integrations {
		if in.Type == kind && in.Name == name {
			return in, nil
		}
	}
	return nil, fmt.Errorf("there is no integration %s in the configuration", ref)
}

// request builds the request without its body. Of the headers, the adapter
// sees those that it asks for, as ever.
func (f *adaptFlags) request(in *core.Integration) (sdk.Request, error) {
	query, err := url.ParseQuery(f.query)
	if err != nil {
		return sdk.Request{}, fmt.Errorf("-query: %w", err)
	}
	given := http.Header{"Content-Type": {"application/json"}}
	for _, line := range f.headers {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return sdk.Request{}, fmt.Errorf("-header %q: want 'Name: value'", line)
		}
		given.Set(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	wanted := http.Header{}
	for _, name := range in.Info.Headers {
		if values := given.Values(name); len(values) > 0 {
			wanted[http.CanonicalHeaderKey(name)] = values
		}
	}
	now := app.Now()
	return sdk.Request{
		// A new id each time, as for every request: an event without identity
		// shares its key with nothing.
		ID:     core.NewIDs(os.Getpid(), 0, app.Now).Next().String(),
		Method: f.method, Path: f.path, Query: query, Header: wanted, ReceivedAt: now,
		Integration: in.ID(), Settings: in.Settings, Attempt: 1,
	}, nil
}

func (a *console) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(a.in)
	}
	return os.ReadFile(name)
}

// callOnce starts the adapter's executable, asks it once, and ends it.
func callOnce(ctx context.Context, l *loader, in *core.Integration, r sdk.Request) (sdk.Result, error) {
	_, path, ok := l.find(in.Type, "", "")
	if !ok {
		return sdk.Result{}, fmt.Errorf("there is no adapter of type %q", in.Type)
	}
	ctx, cancel := context.WithTimeout(ctx, adaptTimeout)
	defer cancel()
	process, err := client.Start(ctx, client.Config{Path: path, Now: app.Now})
	if err != nil {
		return sdk.Result{}, err
	}
	defer process.Stop(context.WithoutCancel(ctx))
	return process.Adapt(ctx, r)
}

// adapted is what adapt prints.
type adapted struct {
	Events   []adaptedEvent `json:"events,omitempty"`
	Ignored  string         `json:"ignored,omitempty"`
	Error    *adaptedError  `json:"error,omitempty"`
	Warnings []string       `json:"warnings,omitempty"`
}

type adaptedError struct {
	Fault   string `json:"fault"` // request or adapter
	Message string `json:"message"`
}

type adaptedEvent struct {
	Action         sdk.Action        `json:"action"`
	DedupKey       string            `json:"dedup_key,omitempty"`
	Title          string            `json:"title,omitempty"`
	Description    string            `json:"description,omitempty"`
	Severity       sdk.Severity      `json:"severity,omitempty"`
	Service        string            `json:"service,omitempty"`
	Affected       []string          `json:"affected_services,omitempty"`
	CustomerImpact *bool             `json:"customer_impact,omitempty"`
	SourceURL      string            `json:"source_url,omitempty"`
	OccurredAt     time.Time         `json:"occurred_at,omitzero"`
	Labels         map[string]string `json:"labels,omitempty"`
	Metadata       map[string]any    `json:"metadata,omitempty"`
	Test           bool              `json:"test,omitempty"`
}

func adaptedOf(in *core.Integration, result sdk.Result, err error) adapted {
	out := adapted{Ignored: result.Ignored, Warnings: result.Notes}
	for _, r := range result.Rejected {
		out.Warnings = append(out.Warnings, fmt.Sprintf("element %d was rejected: %s %s", r.Index, r.Path, r.Reason))
	}
	if err != nil {
		out.Error = &adaptedError{Fault: "adapter", Message: err.Error()}
		if failure, ok := errors.AsType[*sdk.Failure](err); ok && failure.RequestFault() {
			out.Error.Fault = "request"
		}
	}
	id := core.NewIDs(os.Getpid(), 0, app.Now).Next()
	for _, e := range core.PrepareEvents(in, id, false, result.Events) {
		out.Events = append(out.Events, adaptedEvent{
			Action: e.Action, DedupKey: e.DedupKey, Title: e.Title, Description: e.Description, Severity: e.Severity,
			Service: e.Service, Affected: e.AffectedServices, CustomerImpact: e.CustomerImpact, SourceURL: e.SourceURL,
			OccurredAt: e.OccurredAt, Labels: e.Labels, Metadata: e.Metadata, Test: e.Test,
		})
	}
	return out
}

func (a *console) printAdapted(out adapted) error {
	if a.json {
		if err := a.printJSON(out); err != nil {
			return err
		}
	} else {
		a.printAdaptedLines(out)
	}
	if out.Error != nil {
		return &exitError{code: exitDiffers}
	}
	return nil
}

func (a *console) printAdaptedLines(out adapted) {
	for _, e := range out.Events {
		test := ""
		if e.Test {
			test = " (test)"
		}
		fmt.Fprintf(a.out, "%s %s %q%s\n", e.Action, e.Severity, e.Title, test)
		fmt.Fprintf(a.out, "  key      %s\n", e.DedupKey)
		for _, line := range [][2]string{
			{"service", strings.Join(append([]string{e.Service}, e.Affected...), ", ")}, {"source", e.SourceURL}, {"text", clip(e.Description, 200)},
		} {
			if line[1] != "" {
				fmt.Fprintf(a.out, "  %-8s %s\n", line[0], line[1])
			}
		}
		if metadata, err := json.Marshal(e.Metadata); err == nil && len(e.Metadata) > 0 {
			fmt.Fprintf(a.out, "  metadata %s\n", clip(string(metadata), 400))
		}
	}
	if out.Ignored != "" {
		fmt.Fprintf(a.out, "ignored: %s\n", out.Ignored)
	}
	for _, w := range out.Warnings {
		fmt.Fprintf(a.out, "warning: %s\n", w)
	}
	if out.Error != nil {
		fmt.Fprintf(a.out, "the %s's fault: %s\n", out.Error.Fault, out.Error.Message)
	}
}
