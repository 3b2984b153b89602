package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Diagnostics are the mistakes and doubts found in a configuration, sorted by
// their place. None of them shows a secret, not even in the snippet of source
// that belongs to it.
type Diagnostics struct {
	all   hcl.Diagnostics
	files map[string]*hcl.File // with secrets masked
}

// Problem is one diagnostic. Line and Column count from 1 and are zero if the
// problem has no place.
type Problem struct {
	Warning bool
	File    string
	Line    int
	Column  int
	Summary string
	Detail  string
}

// String returns "file:line,column: summary; detail".
func (p Problem) String() string {
	s := p.Summary
	if p.Detail != "" {
		s += "; " + p.Detail
	}
	if p.File != "" {
		s = fmt.Sprintf("%s:%d,%d: %s", p.File, p.Line, p.Column, s)
	}
	return s
}

// Problems lists the diagnostics.
func (d *Diagnostics) Problems() []Problem {
	var problems []Problem
	for _, one := range d.all {
		p := Problem{Warning: one.Severity == hcl.DiagWarning, Summary: one.Summary, Detail: one.Detail}
		if one.Subject != nil {
			p.File, p.Line, p.Column = one.Subject.Filename, one.Subject.Start.Line, one.Subject.Start.Column
		}
		problems = append(problems, p)
	}
	return problems
}

// HasErrors reports whether the configuration can't be used.
func (d *Diagnostics) HasErrors() bool { return d.all.HasErrors() }

// HasWarnings reports whether there are doubts.
func (d *Diagnostics) HasWarnings() bool {
	return slices.ContainsFunc(d.all, func(one *hcl.Diagnostic) bool { return one.Severity == hcl.DiagWarning })
}

// Err returns the errors as one error, a line each; nil if there are only
// warnings.
func (d *Diagnostics) Err() error {
	var all []error
	for _, p := range d.Problems() {
		if !p.Warning {
			all = append(all, errors.New(p.String()))
		}
	}
	return errors.Join(all...)
}

// Write shows the diagnostics to people, each with its source. Width is the
// terminal's, zero if it isn't known.
func (d *Diagnostics) Write(w io.Writer, width uint, color bool) error {
	if err := hcl.NewDiagnosticTextWriter(w, d.files, width, color).WriteDiagnostics(d.all); err != nil {
		return fmt.Errorf("write diagnostics: %w", err)
	}
	return nil
}

// finish sorts, drops repeats and takes from each diagnostic what would let a
// writer show the values of variables.
func finish(all hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range all {
		d.Expression, d.EvalContext = nil, nil
	}
	slices.SortStableFunc(all, func(a, b *hcl.Diagnostic) int {
		x, y := place(a), place(b)
		return cmp.Or(cmp.Compare(x.Filename, y.Filename), cmp.Compare(x.Start.Byte, y.Start.Byte))
	})
	return slices.CompactFunc(all, func(a, b *hcl.Diagnostic) bool {
		return a.Summary == b.Summary && a.Detail == b.Detail && place(a) == place(b)
	})
}

// place returns where a diagnostic stands; without a place it goes last.
func place(d *hcl.Diagnostic) hcl.Range {
	if d.Subject == nil {
		return hcl.Range{Filename: "\xff"}
	}
	return *d.Subject
}
