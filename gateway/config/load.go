package config

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"bellcrank.example/core"
	"bellcrank.example/core/destination"
	"bellcrank.example/core/route"
)

// loader is Load at work.
type loader struct {
	src     Source
	cfg     *Config
	diags   hcl.Diagnostics
	files   map[string]*hcl.File
	secrets map[string][]hcl.Range // literals that are not to be shown, by file

	declared    map[string]map[string]hcl.Range // kind -> name, "/" between two labels -> place
	order       map[string][]string             // kind -> names in order
	locals      map[string]*local
	refs        map[string]cty.Value                    // what destination, retry and plugin stand for
	calls       map[string]map[string]function.Function // by file
	retries     map[string]core.Retry
	keys        map[[32]byte]hcl.Range // routing keys, hashed
	used        map[string]bool        // destinations that somebody leads to
	services    *core.Catalogue
	groups      []route.Group
	autoResolve core.AutoResolve // of every integration
	conditional map[string]bool  // routes with a condition
	catchAll    bool             // there is a route for everything
}

// Load reads a configuration. The diagnostics are never nil. If they have
// errors, the configuration is incomplete and only good for looking at.
func Load(src Source) (*Config, *Diagnostics) {
	l := newLoader(src)
	body := l.parse()
	if !l.diags.HasErrors() { // half a file would only bring follow-ups
		l.decode(body)
	}
	d := &Diagnostics{all: finish(l.diags), files: map[string]*hcl.File{}}
	for name, file := range l.files {
		d.files[name] = masked(file, l.secrets[name])
	}
	return l.cfg, d
}

func newLoader(src Source) *loader {
	if src.Getenv == nil {
		src.Getenv = os.LookupEnv
	}
	if src.ReadFile == nil {
		src.ReadFile = os.ReadFile
	}
	if src.DestinationTypes == nil {
		src.DestinationTypes = destination.Types()
	}
	if src.NewSender == nil {
		src.NewSender = func(t destination.Type, cfg destination.Config) (core.Sender, error) { return t.New(cfg) }
	}
	return &loader{
		src: src, cfg: defaults(),
		secrets:     map[string][]hcl.Range{},
		declared:    map[string]map[string]hcl.Range{},
		order:       map[string][]string{},
		locals:      map[string]*local{},
		calls:       map[string]map[string]function.Function{},
		retries:     map[string]core.Retry{"default": core.DefaultRetry(), "long": core.LongRetry()},
		keys:        map[[32]byte]hcl.Range{},
		used:        map[string]bool{},
		conditional: map[string]bool{},
	}
}

// decode turns the parsed files into values. Names are declared first, so that
// a reference may stand before what it means.
func (l *loader) decode(body hcl.Body) {
	b := l.open(root, body, hcl.Range{})
	for _, inner := range b.content.Blocks {
		l.declare(inner)
	}
	l.nameReferences()
	l.general(b)
	b.each("listener", l.listener)
	b.each("storage", l.storage)
	b.each("admin", l.admin)
	b.each("telemetry", l.telemetry)
	b.each("retention", l.retention)
	b.each("retry", l.retry)
	b.each("plugin", l.plugin)
	b.each("destination", l.destination)
	b.each("service", l.service)
	l.catalogue()
	b.each("group", l.group)
	b.each("auto_resolve", func(b *block) { b.autoResolve(&l.autoResolve) })
	b.each("integration", l.integration)
	b.each("heartbeat", l.heartbeat)
	b.each("route", l.route)
	b.each("silence", l.silence)
	b.each("window", l.window)
	b.each("test", l.test)
	l.evaluateLocals() // those that nobody uses may be wrong as well
	l.review()
}

// general reads what stands outside of blocks.
func (l *loader) general(b *block) {
	c := l.cfg
	b.text("name", &c.Name)
	b.text("environment", &c.Environment)
	b.path("data_dir", &c.DataDir)
	b.path("plugin_directory", &c.PluginDirectory)
	b.oneOf("plugin_cgroup", &c.PluginCgroup, "auto", "required", "off")
	read(b, "public_url", cty.String, &c.PublicURL, func(v cty.Value) (string, error) {
		u, err := url.Parse(v.AsString())
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return "", fmt.Errorf(`want an absolute URL without a query, such as "https://alerts.example.com"`)
		}
		return strings.TrimRight(v.AsString(), "/"), nil
	})
}

// note takes over what HCL found. What env and file complain of is said
// without the name of their parameter, which stands in no configuration.
func (l *loader) note(diags hcl.Diagnostics) {
	for _, d := range diags {
		for _, parameter := range []string{"name", "path"} {
			if cause, ok := strings.CutPrefix(d.Detail, fmt.Sprintf("Invalid value for %q parameter: ", parameter)); ok && cause != "" {
				d.Summary, d.Detail = "Missing value", strings.ToUpper(cause[:1])+cause[1:]
			}
		}
	}
	l.diags = append(l.diags, diags...)
}

// errorf notes a mistake, warnf a doubt. The detail is a sentence or two.
func (l *loader) errorf(at *hcl.Range, summary, detail string, args ...any) {
	l.add(hcl.DiagError, at, summary, detail, args...)
}

func (l *loader) warnf(at *hcl.Range, summary, detail string, args ...any) {
	l.add(hcl.DiagWarning, at, summary, detail, args...)
}

func (l *loader) add(severity hcl.DiagnosticSeverity, at *hcl.Range, summary, detail string, args ...any) {
	detail = fmt.Sprintf(detail, args...)
	if asked, ok := strings.CutSuffix(detail, "?."); ok { // it ends in a suggestion
		detail = asked + "?"
	}
	l.diags = append(l.diags, &hcl.Diagnostic{Severity: severity, Summary: summary, Detail: detail, Subject: at})
}
