//go:build receivers

package webhook

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/wording"
)

// example is a receiver that runs as a process of its own.
type example struct {
	url   string
	lines chan string
}

const receiverSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// start runs a receiver, and stops it at the test's end.
func start(t *testing.T, secret string, command ...string) *example {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], "0")...)
	cmd.Dir = "../../../examples"
	cmd.Env = append(cmd.Environ(), "RECEIVER_SECRET="+secret)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e := &example{lines: make(chan string, 100)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			e.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		stop()
		<-read
		_ = cmd.Wait() // it was killed
	})
	e.url = strings.TrimPrefix(e.line(t), "listening on ")
	return e
}

// line returns what the receiver prints next.
func (e *example) line(t *testing.T) string {
	t.Helper()
	select {
	case line := <-e.lines:
		return line
	case <-time.After(time.Minute):
		t.Fatal("the receiver says nothing")
		return ""
	}
}

func TestReceiversTakeWhatIsSentAndNothingElse(t *testing.T) {
	other := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 32)))
	late := func(m *core.Message) { m.Now = m.Now.Add(-10 * time.Minute) }
	changed := func(r *http.Request) { r.Header.Set("webhook-id", "msg_0000000000000") }
	tests := []struct {
		name    string
		secrets []string
		body    string // of the operator's own; empty: the published one
		message func(*core.Message)
		request func(*http.Request)
		status  int
		prints  string
	}{
		{name: "signed", secrets: []string{receiverSecret}, status: 204, prints: "incident.created  INC-042"},
		{name: "sent again", secrets: []string{receiverSecret}, status: 204, prints: "  repeat"},
		{name: "with a new secret beside the old", secrets: []string{other, receiverSecret}, status: 204, prints: "  repeat"},
		{name: "by a stranger", secrets: []string{other}, status: 401, prints: "the signature is wrong"},
		{name: "not signed", status: 401, prints: "a header is missing"},
		{name: "long ago", secrets: []string{receiverSecret}, message: late, status: 401, prints: "the timestamp is too old"},
		{name: "under another id", secrets: []string{receiverSecret}, request: changed, status: 401, prints: "the signature is wrong"},
		{name: "another body", secrets: []string{receiverSecret}, body: `{"data": null}`, status: 400, prints: "isn't of the published shape"},
	}
	for language, command := range map[string][]string{
		"node":   {"node", "receiver-node/receiver.mjs"},
		"python": {"python3", "receiver-python/receiver.py"},
	} {
		t.Run(language, func(t *testing.T) {
			e := start(t, receiverSecret, command...)
			for _, tt := range tests {
				m := message()
				if tt.message != nil {
					tt.message(&m)
				}
				s := newSender(t, Settings{URL: e.url, SigningSecrets: tt.secrets})
				s.words = wording.New(map[string]core.Template{"body": func(core.Message) (string, error) { return tt.body, nil }})
				request, err := s.request(t.Context(), m)
				if err != nil {
					t.Fatal(err)
				}
				if tt.request != nil {
					tt.request(request)
				}
				a := s.client.Do(request)
				line := e.line(t)
				if a.Status != tt.status || !strings.HasPrefix(line, strconv.Itoa(tt.status)) || !strings.Contains(line, tt.prints) {
					t.Errorf("%s: answered %d, %v and printed %q; want %d and %q", tt.name, a.Status, a.Err, line, tt.status, tt.prints)
				}
			}
		})
	}
}

// TestReceiversTakeSignaturesByKey has a sender whose secret the receiver
// doesn't know.
func TestReceiversTakeSignaturesByKey(t *testing.T) {
	seed, strange := []byte(strings.Repeat("k", ed25519.SeedSize)), []byte(strings.Repeat("s", ed25519.SeedSize))
	secret := func(seed []byte) string { return "whsk_" + base64.StdEncoding.EncodeToString(seed) }
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	tests := []struct {
		name    string
		secrets []string
		change  func(*http.Request)
		status  int
		prints  string
	}{
		{name: "signed", secrets: []string{secret(seed)}, status: 204, prints: "incident.created  INC-042"},
		{name: "with others beside it", secrets: []string{receiverSecret, secret(strange), secret(seed)}, status: 204, prints: "  repeat"},
		{name: "by a stranger", secrets: []string{secret(strange)}, status: 401, prints: "the signature is wrong"},
		{name: "by a secret alone", secrets: []string{receiverSecret}, status: 401, prints: "the signature is wrong"},
		{name: "under another id", secrets: []string{secret(seed)}, status: 401, prints: "the signature is wrong",
			change: func(r *http.Request) { r.Header.Set("webhook-id", "msg_0000000000000") }},
		{name: "no signature at all", secrets: []string{secret(seed)}, status: 401, prints: "the signature is wrong",
			change: func(r *http.Request) { r.Header.Set("webhook-signature", "v1a,AAAA v1a,") }},
	}
	for language, command := range map[string][]string{
		"node":   {"node", "receiver-node/receiver.mjs"},
		"python": {"python3", "receiver-python/receiver.py"},
	} {
		t.Run(language, func(t *testing.T) {
			e := start(t, "whpk_"+base64.StdEncoding.EncodeToString(public), command...)
			for _, tt := range tests {
				s := newSender(t, Settings{URL: e.url, SigningSecrets: tt.secrets})
				request, err := s.request(t.Context(), message())
				if err != nil {
					t.Fatal(err)
				}
				if tt.change != nil {
					tt.change(request)
				}
				a := s.client.Do(request)
				line := e.line(t)
				if a.Status != tt.status || !strings.HasPrefix(line, strconv.Itoa(tt.status)) || !strings.Contains(line, tt.prints) {
					t.Errorf("%s: answered %d, %v and printed %q; want %d and %q", tt.name, a.Status, a.Err, line, tt.status, tt.prints)
				}
			}
		})
	}
}
