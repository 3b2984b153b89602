package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/gateway/admin"
	"bellcrank.example/gateway/app"
	"bellcrank.example/gateway/config"
)

// testResult is what became of a test block.
type testResult struct {
	Name        string       `json:"name"`
	Differences []difference `json:"differences,omitempty"` // none: it passed
}

// runTests runs the test blocks of a configuration with the adapters' own
// processes, and exits with 3 if one fails.
func (a *console) runTests(ctx context.Context, l *loader, c *config.Config) (err error) {
	tree, err := app.NewTree(c, 1)
	if err != nil {
		return err
	}
	var used []string
	for _, t := range c.Tests {
		used = append(used, t.Integration)
	}
	if len(used) == 0 {
		fmt.Fprintln(a.out, "no test blocks")
		return nil
	}
	crew, err := l.crew(ctx, c, used...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, crew.stop()) }()
	var results []testResult
	failed := 0
	for _, t := range c.Tests {
		trier := &admin.Trier{Integrations: c.Integrations, Routes: tree, Ask: crew.ask, Now: t.At}
		if t.At.IsZero() {
			trier.Now = app.Now()
		}
		differences, err := runTest(ctx, trier, t)
		if err != nil {
			return fmt.Errorf("test %s: %w", t.Name, err)
		}
		if len(differences) > 0 {
			failed++
		}
		results = append(results, testResult{t.Name, differences})
	}
	if err := a.show(results, func() { a.printTests(results) }); err != nil || failed == 0 {
		return err
	}
	return &exitError{code: exitDiffers}
}

func (a *console) printTests(results []testResult) {
	passed := 0
	for _, r := range results {
		if len(r.Differences) == 0 {
			passed++
			fmt.Fprintf(a.out, "ok    %s\n", r.Name)
			continue
		}
		fmt.Fprintf(a.out, "FAIL  %s\n", r.Name)
		a.printDifferences(r.Differences)
	}
	fmt.Fprintf(a.out, "%d of %s passed\n", passed, counted(len(results), "test"))
}

// runTest compares what is made of a payload with what is expected.
func runTest(ctx context.Context, trier *admin.Trier, t config.Test) ([]difference, error) {
	body, err := os.ReadFile(t.Payload)
	if err != nil {
		return nil, err
	}
	answer, err := trier.Request(ctx, &core.Request{
		ID: core.IDAt(trier.Now), Tenant: core.DefaultTenant, Integration: t.Integration, ReceivedAt: trier.Now.Truncate(time.Microsecond),
		Method: t.Method, Path: t.Path, Query: t.Query, Header: t.Headers, Body: body,
	})
	if err != nil {
		return nil, err
	}
	return expected(t, answer), nil
}

// expected lists where an answer isn't as expected.
func expected(t config.Test, answer admin.TrialAnswer) []difference {
	switch {
	case answer.Failure != "":
		return []difference{{"events", strconv.Itoa(len(t.Expect)), "the adapter can't read it: " + answer.Failure}}
	case t.Ignored && answer.Ignored == "":
		return []difference{{"ignored", "true", counted(len(answer.Trials), "event")}}
	case len(t.Expect) != len(answer.Trials):
		return []difference{{"events", strconv.Itoa(len(t.Expect)), counts(answer)}}
	}
	var all []difference
	for i, e := range t.Expect {
		for _, d := range expectedOf(e, answer.Trials[i]) {
			if len(t.Expect) > 1 {
				d.Field = fmt.Sprintf("%d.%s", i+1, d.Field)
			}
			all = append(all, d)
		}
	}
	return all
}

func counts(answer admin.TrialAnswer) string {
	words := []string{strconv.Itoa(len(answer.Trials))}
	for _, t := range answer.Trials {
		words = append(words, fmt.Sprintf("%s %q", t.Action, t.Title))
	}
	if answer.Ignored != "" {
		words = append(words, "ignored: "+answer.Ignored)
	}
	return strings.Join(append(words, answer.Notes...), ", ")
}

func expectedOf(e config.Expect, t admin.Trial) []difference {
	got := fieldsOf(t)
	var all []difference
	compare := func(name, want string) {
		if got[name] != want {
			all = append(all, difference{name, want, got[name]})
		}
	}
	for _, f := range e.Fields {
		compare(f.Name, f.Value)
	}
	all = append(all, differLabels(e.Labels, t.Labels)...)
	if e.HasRoutes {
		compare("routes", strings.Join(e.Routes, ", "))
	}
	if e.HasTo {
		compare("destinations", strings.Join(e.Destinations, ", "))
	}
	return all
}
