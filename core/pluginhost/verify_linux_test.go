package pluginhost

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bellcrank.example/core/pluginhost/sandbox"
)

// between verifies an executable, lets something happen, and then starts it,
// as the host does without anything happening between.
func between(t *testing.T, s Spec, happen func()) (*process, error) {
	t.Helper()
	cfg := Config{RunDir: t.TempDir(), Shim: sandbox.Self(), Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	remove, err := h.makeRunDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	v, err := verify(s, nil, h.cfg.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer v.file.Close()
	happen()
	sup := newSupervisor(h, s)
	p, err := sup.launch(t.Context(), s, v, newLogSink(h.log, sup.now))
	if err != nil {
		return nil, err
	}
	t.Cleanup(p.client.Kill)
	return p, v.unchanged()
}

// running is the hash of what a process executes.
func running(t *testing.T, p *process) string {
	t.Helper()
	f, err := os.Open("/proc/" + strconv.Itoa(p.client.PID()) + "/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// ownCopy is an executable that can be written to without spoiling others'.
func ownCopy(t *testing.T) Spec {
	t.Helper()
	s := spec(t)
	content, err := os.ReadFile(executable(t))
	if err == nil {
		s.Path += "-copy"
		err = os.WriteFile(s.Path, content, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatWasHashedIsWhatRuns(t *testing.T) {
	evil := []byte("#!/bin/sh\necho evil\n")
	tests := map[string]struct {
		mode   os.FileMode
		happen func(path string) error
	}{
		"the path leads to another file": {0o755, func(path string) error {
			return errors.Join(os.WriteFile(path+"-evil", evil, 0o755), os.Rename(path+"-evil", path))
		}},
		"the file is removed":          {0o755, os.Remove},
		"somebody of the group writes": {0o775, func(path string) error { return os.WriteFile(path, evil, 0o775) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := ownCopy(t)
			if err := os.Chmod(s.Path, tt.mode); err != nil {
				t.Fatal(err)
			}
			p, err := between(t, s, func() {
				if err := tt.happen(s.Path); err != nil {
					t.Fatal(err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := running(t, p); got != pinned() {
				t.Errorf("%s runs, pinned is %s", got, pinned())
			}
			if !strings.HasPrefix(p.sandbox, "full") && !strings.HasPrefix(p.sandbox, "partial") {
				t.Errorf("it is confined at level %q", p.sandbox)
			}
		})
	}
}

func TestFileThatItsOwnerWritesMeanwhileDoesNotServe(t *testing.T) {
	s := ownCopy(t)
	_, err := between(t, s, func() {
		f, err := os.OpenFile(s.Path, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString("one more byte")
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if err == nil || !strings.Contains(err.Error(), "written to while") {
		t.Errorf("error %v, want that the file was written to", err)
	}
}

func TestSealedCopyCannotBeWritten(t *testing.T) {
	f, err := os.Open(executable(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sealed, err := seal(f)
	if err != nil {
		t.Fatal(err)
	}
	defer sealed.Close()
	if _, err := unix.Pwrite(int(sealed.Fd()), []byte("evil"), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("writing: %v, want %v", err, unix.EPERM)
	}
	if err := sealed.Truncate(1); !errors.Is(err, unix.EPERM) {
		t.Errorf("shortening: %v, want %v", err, unix.EPERM)
	}
}

func TestAFileThatWasHashedBeforeIsHashedAgainWhenItHasChanged(t *testing.T) {
	s, known := ownCopy(t), &hashes{}
	check := func(now time.Time) error {
		v, err := verify(s, known, now)
		if err == nil {
			v.file.Close()
		}
		return err
	}
	info, err := os.Stat(s.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := check(info.ModTime()); err != nil || len(known.known) != 0 {
		t.Errorf("what has just been written: %v, %d hashes are remembered", err, len(known.known))
	}
	later := time.Now().Add(time.Hour)
	for range 2 {
		if err := check(later); err != nil || len(known.known) != 1 {
			t.Errorf("what has long been as it is: %v, %d hashes are remembered", err, len(known.known))
		}
	}
	f, err := os.OpenFile(s.Path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt([]byte("evil"), 4096)
		err = errors.Join(err, f.Close(), os.Chtimes(s.Path, info.ModTime(), info.ModTime()))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := check(later); err == nil || !strings.Contains(err.Error(), "pinned is") {
		t.Errorf("what was written to since, of the same size and time: %v, want that it isn't what was pinned", err)
	}
}
