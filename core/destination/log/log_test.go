package log

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bellcrank.example/core"
)

func message(version int, title string) core.Message {
	return core.Message{
		ID: "msg_1", Kind: core.Created, At: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC),
		Incident: &core.Incident{Number: 42, Version: version, Title: title, Status: core.Investigating},
	}
}

func newSender(t *testing.T, path string) *Sender {
	t.Helper()
	settings, err := json.Marshal(Settings{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(settings)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEachDeliveryIsOneLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "incidents.jsonl")
	s := newSender(t, path)
	var senders sync.WaitGroup
	for i := range 50 {
		senders.Go(func() {
			if a := s.Send(t.Context(), message(i+1, "two\nlines")); a.Status != 200 || a.Err != nil {
				t.Errorf("answer %+v, want 200", a)
			}
		})
	}
	senders.Wait()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	versions := map[int]bool{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var got line
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			t.Fatalf("line %q: %v", lines.Text(), err)
		}
		if got.Incident != "INC-042" || got.Type != "incident.created" || got.Title != "two\nlines" {
			t.Errorf("line %+v", got)
		}
		versions[got.Version] = true
	}
	if len(versions) != 50 {
		t.Errorf("%d different lines, want 50", len(versions))
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %o, want 600", got)
	}
}

func TestAFileThatCannotBeWrittenIsTheDestinationsFault(t *testing.T) {
	s := newSender(t, filepath.Join(t.TempDir(), "missing", "incidents.jsonl"))
	a := s.Send(t.Context(), message(1, "disk full"))
	if class, _ := a.Classify(time.Now()); class != core.DestinationFault {
		t.Errorf("answer %+v is class %q, want %q", a, class, core.DestinationFault)
	}
}

func TestAnEmptyPathIsRefused(t *testing.T) {
	if _, err := New(json.RawMessage(`{"path": ""}`)); err == nil {
		t.Error("an empty path was taken")
	}
}

func TestALineSaysWhoMadeTheChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "incidents.jsonl")
	m := message(1, "x")
	m.Author, m.Note = "anna", "on it"
	if a := newSender(t, path).Send(t.Context(), m); a.Status != 200 {
		t.Fatalf("answer %+v", a)
	}
	content, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(content), `"author":"anna","note":"on it"`) {
		t.Errorf("line %s, %v; want the author and the note", content, err)
	}
}
