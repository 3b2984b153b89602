package cli

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bellcrank.example/gateway/admin"
)

func (a *console) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain INC-n", Short: "say what made an incident what it is, and who was told why", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			x, err := get[admin.Explanation](cmd.Context(), "/v1/incidents/"+url.PathEscape(args[0])+"/explain", nil)
			if err != nil {
				return err
			}
			return a.show(x, func() { a.printExplanation(x) })
		},
	}
}

// say prints a line, indented by so many steps. What vendors sent can't move
// the cursor.
func (a *console) say(depth int, format string, args ...any) {
	fmt.Fprintf(a.out, "%s%s\n", strings.Repeat("  ", depth), printable(fmt.Sprintf(format, args...)))
}

func (a *console) printExplanation(x admin.Explanation) {
	in := x.Incident
	a.say(0, "%s  %s  %s  %s", in.ID, in.Status, in.Severity, in.Title)
	a.say(1, "identity   %s, by the rule %q, within %s", in.DedupKey, cmp.Or(in.IdentityRule, "adapter"), in.Integration)
	severity := in.SeverityRule
	if in.SeverityRaw != "" {
		severity += ", from " + in.SeverityRaw
	}
	a.say(1, "severity   %s, by the rule %q", in.Severity, severity)
	if in.AssignedBy != "" {
		a.say(1, "service    %s, given by %s", in.Service, in.AssignedBy)
	}
	for _, r := range x.Requests {
		a.printExplainedRequest(r)
	}
	for _, e := range x.People {
		a.say(0, "%s  %s: %s, %s", e.At.Format(time.RFC3339), e.Author, e.Action, e.Effect)
		for line := range strings.Lines(e.Note) {
			a.say(1, "%s", strings.TrimSpace(line))
		}
	}
	for _, e := range x.Others {
		a.say(0, "%s  %s, %s", e.At.Format(time.RFC3339), e.Action, e.Effect)
	}
	for _, v := range x.Versions {
		a.printExplainedVersion(v)
	}
}

func (a *console) printExplainedRequest(r admin.ExplainedRequest) {
	a.say(0, "%s  request %s from %s: %s", r.ReceivedAt.Format(time.RFC3339), r.ID, cmp.Or(r.Source, "the gateway itself"), r.State)
	for _, fact := range [][2]string{
		{"key", r.KeyID}, {"address", r.LetIn}, {"signature", r.Verified}, {"adapter", r.Adapter}, {"sha256", r.AdapterSHA},
		{"reason", r.Reason},
	} {
		if fact[1] != "" {
			a.say(1, "%-10s %s", fact[0], fact[1])
		}
	}
	for _, note := range append(r.Notes, r.Rejected...) {
		a.say(1, "note       %s", note)
	}
	if r.Duplicates > 0 {
		a.say(1, "repeats    sent again %d times, which changed nothing", r.Duplicates)
	}
	for _, e := range r.Events {
		rule := ""
		if e.Rule != "" {
			rule = fmt.Sprintf(", %s by the rule %q", e.Severity, e.Rule)
		}
		a.say(1, "event      %s: %s%s", e.Action, e.Effect, rule)
	}
}

func (a *console) printExplainedVersion(v admin.ExplainedVersion) {
	by := ""
	if v.Author != "" {
		by = " by " + v.Author
	}
	a.say(0, "%s  version %d, %s%s; routes of configuration %d", v.At.Format(time.RFC3339), v.Number, v.Kind, by, v.Generation)
	if v.Note != "" && v.Author == "" {
		a.say(1, "because    %s", v.Note)
	}
	if v.Held != "" {
		a.say(1, "held back  %s", v.Held)
	}
	if !v.Released.IsZero() {
		a.say(1, "released   %s", v.Released.Format(time.RFC3339))
	}
	for _, d := range v.Routes {
		name := "route " + d.Route
		if d.Route == "" {
			name = "rule"
		}
		if d.Matched {
			a.say(1, "%-10s matched%s, to %s", name, before(": ", d.Reason), strings.Join(d.To, ", "))
		} else {
			a.say(1, "%-10s didn't match%s", name, before(": ", d.Reason))
		}
	}
	if v.Omitted > 0 {
		a.say(1, "and %s that didn't match", counted(v.Omitted, "route"))
	}
	if len(v.Unwanted) > 0 {
		a.say(1, "not told   %s: this kind isn't among their events", strings.Join(v.Unwanted, ", "))
	}
	for _, d := range v.Deliveries {
		a.say(1, "to %s as %s: %s%s", d.Destination, d.Kind, d.State, before(" into ", d.FoldedInto))
		for _, t := range d.Attempts {
			a.say(2, "attempt %d at %s: %s", t.Number, t.At.Format(time.RFC3339), cmp.Or(t.Error, fmt.Sprintf("%d in %d ms", t.Status, t.TookMS)))
		}
	}
	if len(v.Deliveries) == 0 && v.Held == "" {
		a.say(1, "owed to nobody")
	}
}

// before puts a word before text, if there is any.
func before(word, text string) string {
	if text == "" {
		return ""
	}
	return word + text
}
