package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bellcrank.example/core"
	"bellcrank.example/core/pluginhost"
	"bellcrank.example/core/pluginhost/sandbox"
	"bellcrank.example/gateway/app"
	"bellcrank.example/gateway/config"
	"bellcrank.example/sdk"
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
			"incident would get. Exits with 3 if the adapter can't read the body, with 1 if the adapter fails.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return a.adapt(cmd.Context(), args[0], args[1], f) },
	}
	cmd.Flags().StringArrayVar(&f.config, "config", nil, "configuration file or folder, for TYPE/NAME; may be repeated")
	f.register(cmd)
	return cmd
}

// register adds the flags that describe a request.
func (f *adaptFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.headers, "header", nil, "a header of the request, 'Name: value'; may be repeated")
	cmd.Flags().StringVar(&f.method, "method", http.MethodPost, "its method")
	cmd.Flags().StringVar(&f.path, "path", "", "what follows the routing key in its path")
	cmd.Flags().StringVar(&f.query, "query", "", "its query string")
}

// recorded takes over what a recorded request has, unless a flag says
// otherwise.
func (f *adaptFlags) recorded(r sdk.Request) {
	for name, values := range r.Header {
		for _, value := range values {
			f.headers = append([]string{name + ": " + value}, f.headers...)
		}
	}
	if f.method == http.MethodPost {
		f.method = r.Method
	}
	f.path, f.query = cmp.Or(f.path, r.Path), cmp.Or(f.query, r.Query.Encode())
}

func (a *console) adapt(ctx context.Context, ref, file string, f adaptFlags) error {
	loader, err := newLoader(f.config, os.LookupEnv)
	if err != nil {
		return err
	}
	integration, spec, err := a.integrationFor(loader, ref)
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
	result, err := callOnce(ctx, spec, request)
	if err == nil {
		result, err = core.CheckTemplates(integration, result)
	}
	return a.printAdapted(adaptedOf(integration, result, err))
}

// integrationFor returns the integration TYPE/NAME of the configuration, or
// one of TYPE with default settings, and the plugin that adapts for it.
func (a *console) integrationFor(l *loader, ref string) (*core.Integration, pluginhost.Spec, error) {
	kind, name, named := strings.Cut(ref, "/")
	if !named {
		spec, err := l.spec(config.Plugin{Name: kind, Type: kind}, "")
		if err != nil {
			return nil, spec, fmt.Errorf("there is no adapter of type %q", kind)
		}
		return &core.Integration{Tenant: core.DefaultTenant, Type: kind, Name: "default", Plugin: kind, Info: *spec.Info}, spec, nil
	}
	if len(l.paths) == 0 {
		return nil, pluginhost.Spec{}, errors.New("TYPE/NAME needs -config")
	}
	c, err := a.load(l)
	if err != nil {
		return nil, pluginhost.Spec{}, err
	}
	specs, err := l.specs(c)
	if err != nil {
		return nil, pluginhost.Spec{}, err
	}
	for _, in := range c.Integrations {
		if in.Type != kind || in.Name != name {
			continue
		}
		if i := slices.IndexFunc(specs, func(s pluginhost.Spec) bool { return s.Name == in.Plugin }); i >= 0 {
			return in, specs[i], nil
		}
	}
	return nil, pluginhost.Spec{}, fmt.Errorf("there is no integration %s in the configuration", ref)
}

// request builds the request without its body. Of the headers, the adapter
// sees those that it asks for, as ever.
func (f *adaptFlags) request(in *core.Integration) (sdk.Request, error) {
	query, err := url.ParseQuery(f.query)
	if err != nil {
		return sdk.Request{}, fmt.Errorf("-query: %w", err)
	}
	given, err := parseHeaders(f.headers)
	if err != nil {
		return sdk.Request{}, err
	}
	now := app.Now()
	return sdk.Request{
		// A new id each time, as for every request: an event without identity
		// shares its key with nothing.
		ID:     core.NewIDs(os.Getpid(), 0, app.Now).Next().String(),
		Method: f.method, Path: f.path, Query: query, Header: wanted(in, given), ReceivedAt: now,
		Integration: in.ID(), Settings: in.Settings, Attempt: 1,
	}, nil
}

func (a *console) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(a.in)
	}
	return os.ReadFile(name)
}

// callOnce runs the adapter's executable as the gateway would, asks it once,
// and ends it.
func callOnce(ctx context.Context, spec pluginhost.Spec, r sdk.Request) (result sdk.Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, adaptTimeout)
	defer cancel()
	err = withHost(ctx, []pluginhost.Spec{spec}, func(host *pluginhost.Host) (err error) {
		result, err = host.Adapt(ctx, spec.Name, r)
		return err
	})
	return result, err
}

// withHost runs executables as the gateway would while something is done with
// them, and ends them.
func withHost(ctx context.Context, specs []pluginhost.Spec, do func(*pluginhost.Host) error) (err error) {
	host, err := pluginhost.New(pluginhost.Config{
		Plugins: specs, Shim: sandbox.Self(), Now: app.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- host.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	if err := host.Wait(ctx); err != nil {
		return fmt.Errorf("start %s: %w", specs[0].Path, err)
	}
	for i, p := range host.Plugins() {
		if !host.Ready(p.Name) {
			return fmt.Errorf("start %s: %s", specs[i].Path, p.LastError)
		}
	}
	return do(host)
}

// adapted is what adapt prints.
type adapted struct {
	Events   []adaptedEvent `json:"events,omitempty"`
	Ignored  string         `json:"ignored,omitempty"`
	Error    *adaptedError  `json:"error,omitempty"`
	Warnings []string       `json:"warnings,omitempty"`
}

type adaptedError struct {
	Fault   string          `json:"fault"` // request or adapter
	Code    sdk.FailureCode `json:"code,omitempty"`
	Message string          `json:"message"`
}

type adaptedEvent struct {
	Action         sdk.Action        `json:"action"`
	DedupKey       string            `json:"dedup_key,omitempty"`
	Title          string            `json:"title,omitempty"`
	Description    string            `json:"description,omitempty"`
	Severity       sdk.Severity      `json:"severity,omitempty"`
	SeverityRaw    string            `json:"severity_raw,omitempty"`
	SeverityRule   string            `json:"severity_rule,omitempty"`
	IdentityRule   string            `json:"identity_rule,omitempty"`
	Service        string            `json:"service,omitempty"`
	Affected       []string          `json:"affected_services,omitempty"`
	CustomerImpact *bool             `json:"customer_impact,omitempty"`
	SourceURL      string            `json:"source_url,omitempty"`
	OccurredAt     time.Time         `json:"occurred_at,omitzero"`
	EndedAt        time.Time         `json:"ended_at,omitzero"`
	Links          []sdk.Link        `json:"links,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Metadata       map[string]any    `json:"metadata,omitempty"`
	Test           bool              `json:"test,omitempty"`
}

func adaptedOf(in *core.Integration, result sdk.Result, err error) adapted {
	return adaptedAs(core.NewIDs(os.Getpid(), 0, app.Now).Next(), in, result, err)
}

// adaptedAs is the answer for the request of an id.
func adaptedAs(id core.ID, in *core.Integration, result sdk.Result, err error) adapted {
	out := adapted{Ignored: result.Ignored, Warnings: result.Notes}
	for _, r := range result.Rejected {
		out.Warnings = append(out.Warnings, fmt.Sprintf("element %d was rejected: %s %s", r.Index, r.Path, r.Reason))
	}
	if err == nil && len(result.Events)+len(result.Rejected) == 0 && result.Ignored == "" && result.Reply == nil {
		err = errors.New("it answered with nothing at all")
	}
	if err != nil {
		out.Error = adaptedErrorOf(err)
	}
	for _, e := range core.PrepareEvents(in, id, false, result.Events) {
		out.Events = append(out.Events, adaptedEvent{
			Action: e.Action, DedupKey: e.DedupKey, Title: e.Title, Description: e.Description, Severity: e.Severity,
			Service: e.Service, Affected: e.AffectedServices, CustomerImpact: e.CustomerImpact, SourceURL: e.SourceURL,
			SeverityRaw: e.SeverityRaw, SeverityRule: e.SeverityRule, IdentityRule: e.IdentityRule, EndedAt: e.EndedAt, Links: e.Links,
			OccurredAt: e.OccurredAt, Labels: e.Labels, Metadata: e.Metadata, Test: e.Test,
		})
	}
	return out
}

func adaptedErrorOf(err error) *adaptedError {
	failure, ok := errors.AsType[*sdk.Failure](err)
	if !ok {
		return &adaptedError{Fault: "adapter", Message: err.Error()}
	}
	e := &adaptedError{Fault: "adapter", Code: failure.Code, Message: failure.Message}
	if failure.Path != "" {
		e.Message = failure.Path + ": " + failure.Message
	}
	if failure.RequestFault() {
		e.Fault = "request"
	}
	return e
}

func (a *console) printAdapted(out adapted) error {
	if a.json {
		if err := a.printJSON(out); err != nil {
			return err
		}
	} else {
		a.printAdaptedLines(out)
	}
	switch {
	case out.Error == nil:
		return nil
	case out.Error.Fault == "request":
		return &exitError{code: exitDiffers}
	}
	return &exitError{code: exitLocal}
}

func (a *console) printAdaptedLines(out adapted) {
	for _, e := range out.Events {
		words := []string{string(e.Action), string(e.Severity), strconv.Quote(e.Title)}
		if e.Test {
			words = append(words, "(test)")
		}
		fmt.Fprintln(a.out, strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " "))
		fmt.Fprintf(a.out, "  key      %s\n", e.DedupKey)
		for _, line := range [][2]string{
			{"key by", e.IdentityRule}, {"level by", e.SeverityRule}, {"word", e.SeverityRaw}, {"service", e.Service}, {"affected", strings.Join(e.Affected, ", ")}, {"source", e.SourceURL}, {"text", clip(e.Description, 200)},
		} {
			if line[1] != "" {
				fmt.Fprintf(a.out, "  %-8s %s\n", line[0], line[1])
			}
		}
		for _, l := range e.Links {
			fmt.Fprintf(a.out, "  link     %s: %s\n", l.Name, l.URL)
		}
		if labels, err := json.Marshal(e.Labels); err == nil && len(e.Labels) > 0 {
			fmt.Fprintf(a.out, "  labels   %s\n", clip(string(labels), 400))
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
		fmt.Fprintf(a.out, "the %s's fault: %s\n", out.Error.Fault, clip(out.Error.Message, 400))
	}
}
