package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
)

func codeOf(err error) core.Code {
	if e, ok := errors.AsType[*core.Error](err); ok {
		return e.Code
	}
	return ""
}

func TestFullDiskRefusesAndRecovers(t *testing.T) {
	d, name := newDisk(t)
	l := newLoad(t, Config{vfs: name})
	before, err := l.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.failWith(func(op, name string) error {
		if op == "write" && strings.HasSuffix(name, "-wal") {
			return &fs.PathError{Op: "write", Path: name, Err: syscall.ENOSPC}
		}
		return nil
	})
	for range 3 {
		if _, err := l.open(t.Context()); codeOf(err) != core.StoreUnavailable {
			t.Fatalf("on a full disk: %v, want %s", err, core.StoreUnavailable)
		}
	}
	if err := l.Writable(t.Context()); codeOf(err) != core.StoreUnavailable {
		t.Errorf("Writable: %v, want %s", err, core.StoreUnavailable)
	}
	if _, err := l.db.Request(t.Context(), before.Request); err != nil {
		t.Errorf("read on a full disk: %v", err)
	}
	d.failWith(nil)
	after, err := l.open(t.Context())
	if err != nil || after.Incidents[0].Number != before.Incidents[0].Number+1 {
		t.Errorf("with room again: %+v, %v; want the next number", after, err)
	}
}

func TestFullDatabaseRefusesAndReads(t *testing.T) {
	l := newLoad(t, Config{maxPages: 120})
	var last core.Receipt
	var err error
	for err == nil {
		var r core.Receipt
		if r, err = l.open(t.Context()); err == nil {
			last = r
		}
	}
	if codeOf(err) != core.StoreUnavailable || !errors.Is(err, engine.ErrFull) {
		t.Fatalf("at the end of the file: %v, want %s", err, core.StoreUnavailable)
	}
	all, err := l.db.Incidents(t.Context(), core.IncidentFilter{Page: core.Page{Limit: 500}})
	if err != nil || int64(len(all)) != last.Incidents[0].Number {
		t.Errorf("%d incidents are stored, %v; want those %d that were acknowledged", len(all), err, last.Incidents[0].Number)
	}
}

func TestFailedSyncEndsTheStore(t *testing.T) {
	d, name := newDisk(t)
	db, err := Open(t.Context(), Config{Dir: t.TempDir(), vfs: name})
	if err != nil {
		t.Fatal(err)
	}
	l := &load{db: db}
	if l.Engine, err = engine.New(t.Context(), engine.Config{Driver: db, Routes: func() core.Routes { return l }}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Run(context.WithoutCancel(t.Context())) }()
	if _, err := l.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.failWith(func(op, name string) error {
		if op == "sync" {
			return &fs.PathError{Op: "sync", Path: name, Err: syscall.EIO}
		}
		return nil
	})
	if _, err := l.open(t.Context()); codeOf(err) != core.StoreUnavailable {
		t.Errorf("with a failing sync: %v, want %s", err, core.StoreUnavailable)
	}
	if err := <-done; !errors.Is(err, engine.ErrBroken) {
		t.Errorf("Run = %v, want %v", err, engine.ErrBroken)
	}
	d.failWith(nil)
	if _, err := l.open(t.Context()); codeOf(err) != core.StoreUnavailable {
		t.Errorf("afterwards: %v, want %s", err, core.StoreUnavailable)
	}
	if err := db.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
