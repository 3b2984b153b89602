// Package log writes incident changes to a file or to standard output, one
// JSON object a line: for a first look, and for collectors that read files.
package log

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"bellcrank.example/core"
)

// Settings are what an operator writes in a log destination's settings.
type Settings struct {
	Path string `json:"path" default:"-" doc:"The file to append to, made with mode 0600; - is standard output."`
}

// Sender writes lines. A file is opened for each of them, so that it may be
// moved away at any time.
type Sender struct {
	path string
	out  io.Writer

	mu sync.Mutex // held while a line is written
}

// New checks the settings, an object as Settings. It doesn't touch the file.
func New(settings json.RawMessage) (*Sender, error) {
	s := Settings{Path: "-"}
	if len(settings) > 0 {
		if err := json.Unmarshal(settings, &s); err != nil {
			return nil, fmt.Errorf("log settings: %w", err)
		}
	}
	if s.Path == "" {
		return nil, errors.New("path must not be empty")
	}
	return &Sender{path: s.Path, out: os.Stdout}, nil
}

// line is what is written, in the order in which people read.
type line struct {
	Time     time.Time `json:"time"` // of the change
	ID       string    `json:"webhook_id"`
	Type     string    `json:"type"`
	Incident string    `json:"incident"`
	Version  int       `json:"version"`
	Severity string    `json:"severity"`
	Status   string    `json:"status"`
	Title    string    `json:"title"`
	Service  string    `json:"service,omitempty"`
	Author   string    `json:"author,omitempty"` // the person who made the change
	Note     string    `json:"note,omitempty"`   // what they said
	URL      string    `json:"url,omitempty"`
	Test     bool      `json:"test,omitempty"`
}

// Send writes one line. It answers 200 when the system has taken it; nothing
// is forced to the disk.
func (s *Sender) Send(ctx context.Context, m core.Message) core.Answer {
	if core.RehearsalOf(ctx) != nil {
		return core.Answer{Err: core.ErrRehearsed}
	}
	in := m.Incident
	text, err := json.Marshal(line{
		Time: m.At.UTC(), ID: m.ID, Type: "incident." + string(m.Kind), Incident: in.Name(), Version: in.Version,
		Severity: string(in.Severity), Status: string(in.Status), Title: in.Title, Service: in.Service,
		Author: m.Author, Note: m.Note, URL: m.IncidentURL, Test: in.Test,
	})
	if err == nil {
		err = s.write(append(text, '\n'))
	}
	if err != nil {
		return core.Answer{Err: fmt.Errorf("write line: %w", err)}
	}
	return core.Answer{Status: 200}
}

func (s *Sender) write(text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.path == "-" {
		_, err := s.out.Write(text)
		return err
	}
	file, err := os.OpenFile(s.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}
