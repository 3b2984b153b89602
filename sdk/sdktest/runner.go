package sdktest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// runner is where checks run and complain: a Go test, or a Report.
type runner interface {
	Helper()
	Errorf(format string, args ...any)
	// Fatalf ends the check.
	Fatalf(format string, args ...any)
	run(name string, check func(runner))
}

// inTest runs checks as tests. A fuzz target has no subtests and runs none.
type inTest struct{ testing.TB }

func (t inTest) run(name string, check func(runner)) {
	if inner, ok := t.TB.(*testing.T); ok {
		inner.Run(name, func(t *testing.T) { check(inTest{t}) })
	}
}

// Report says which checks an adapter passed.
type Report struct {
	Checks []Check
}

// Check is one check of the kit and its outcome.
type Check struct {
	Name       string   // such as "cases/disk_full"
	Complaints []string // empty: passed
}

// Failed returns how many checks were not passed.
func (r *Report) Failed() int {
	failed := 0
	for i := range r.Checks {
		if len(r.Checks[i].Complaints) > 0 {
			failed++
		}
	}
	return failed
}

// maxComplaints bounds what one check says: a body that is mutated in a
// thousand ways fails in a thousand ways.
const maxComplaints = 10

// inReport notes what a check complains of.
type inReport struct {
	report *Report
	inner  int // checks that ran within this one

	mu    sync.Mutex // checks complain from many goroutines
	check Check      // guarded by mu
}

// ended is what Fatalf panics with.
type ended struct{}

// Helper is for tests, which tell where a check was called.
func (r *inReport) Helper() {}

// Errorf notes a complaint.
func (r *inReport) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.check.Complaints) < maxComplaints {
		r.check.Complaints = append(r.check.Complaints, fmt.Sprintf(format, args...))
	}
}

// Fatalf notes a complaint and ends the check.
func (r *inReport) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(ended{})
}

// run notes a check that only holds others just when it complains itself.
func (r *inReport) run(name string, check func(runner)) {
	inner := &inReport{report: r.report, check: Check{Name: strings.TrimPrefix(r.check.Name+"/"+name, "/")}}
	inner.do(check)
	r.inner++
	if inner.inner == 0 || len(inner.check.Complaints) > 0 {
		r.report.Checks = append(r.report.Checks, inner.check)
	}
}

func (r *inReport) do(check func(runner)) {
	defer func() {
		if p := recover(); p != nil && p != (ended{}) {
			panic(p)
		}
	}()
	check(r)
}
