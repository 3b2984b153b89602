package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	maxBody = 1 << 20
	maxSeen = 100_000 // ids that are remembered, then all are forgotten
)

// change is the part of a delivery's body that is printed.
type change struct {
	Type string `json:"type"`
	Data struct {
		Incident struct {
			ID       string `json:"id"`
			Title    string `json:"title"`
			Severity string `json:"severity"`
			Status   string `json:"status"`
			Version  int    `json:"version"`
		} `json:"incident"`
	} `json:"data"`
}

// verifier tells whether a delivery is the sender's.
type verifier interface {
	Verify(body []byte, header http.Header) error
}

// receiver handles deliveries. Only verified ones count as seen.
type receiver struct {
	verifier verifier // nil: nothing is verified
	fail     int      // status of every answer if not zero
	out      io.Writer
	lines    io.Writer // JSON lines; nil: none

	mu   sync.Mutex
	seen map[string]bool // by webhook-id; guarded by mu, as is writing
}

func newReceiver(secret string, fail int, out io.Writer) (*receiver, error) {
	r := &receiver{fail: fail, out: out, seen: map[string]bool{}}
	if secret == "" {
		return r, nil
	}
	var err error
	if encoded, ok := strings.CutPrefix(secret, "whpk_"); ok {
		r.verifier, err = newKey(encoded)
	} else {
		r.verifier, err = standardwebhooks.NewWebhook(secret)
	}
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	return r, nil
}

// entry is a line of the log.
type entry struct {
	At        time.Time       `json:"at"`
	ID        string          `json:"webhook_id"`
	Signature string          `json:"signature"`
	Repeat    bool            `json:"repeat,omitempty"`
	Status    int             `json:"status"` // of our answer
	Body      json.RawMessage `json:"body,omitempty"`
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if err != nil {
		http.Error(w, "body too large or cut short", http.StatusBadRequest)
		return
	}
	e := entry{At: time.Now().UTC(), ID: req.Header.Get(standardwebhooks.HeaderWebhookID), Status: http.StatusNoContent}
	e.Signature = r.verify(body, req.Header)
	var c change
	switch {
	case e.Signature == "signature bad":
		e.Status = http.StatusUnauthorized
	case json.Unmarshal(body, &c) != nil:
		e.Status = http.StatusBadRequest
	default:
		e.Body = body
	}
	if r.fail != 0 {
		e.Status = r.fail
	}
	r.note(e, c)
	w.WriteHeader(e.Status)
}

func (r *receiver) verify(body []byte, header http.Header) string {
	switch {
	case r.verifier == nil:
		return "signature not checked"
	case r.verifier.Verify(body, header) != nil:
		return "signature bad"
	}
	return "signature ok"
}

// note prints the delivery. One that was answered with success before is a
// repeat: a receiver that acts on deliveries must not act again.
func (r *receiver) note(e entry, c change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Repeat = r.seen[e.ID]
	if e.Status < 300 {
		if len(r.seen) >= maxSeen {
			clear(r.seen)
		}
		r.seen[e.ID] = true
	}
	in, repeat := c.Data.Incident, ""
	if e.Repeat {
		repeat = "  repeat"
	}
	fmt.Fprintf(r.out, "%s  %s  %s  %s  %q  %s  %d%s\n", e.At.Format(time.TimeOnly), e.ID, c.Type, in.ID, in.Title, e.Signature, e.Status, repeat)
	if r.lines != nil {
		_ = json.NewEncoder(r.lines).Encode(e) // an example's log; its loss is no failure of the delivery
	}
}
