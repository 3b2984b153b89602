package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

const body = `{"type":"incident.created","data":{"incident":{"id":"INC-042","title":"Disk full"}}}`

// post delivers the body, signed with a secret, and returns the status.
func post(t *testing.T, r *receiver, id, with string) int {
	t.Helper()
	signer, err := standardwebhooks.NewWebhook(with)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := signer.Sign(id, now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("webhook-signature", signature)
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w.Code
}

func TestADeliveryIsVerifiedAndPrinted(t *testing.T) {
	tests := map[string]struct {
		with   string
		fail   int
		status int
		prints string
	}{
		"right secret": {with: secret, status: 204, prints: "signature ok"},
		"wrong secret": {with: "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", status: 401, prints: "signature bad"},
		"told to fail": {with: secret, fail: 503, status: 503, prints: "signature ok  503"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			r, err := newReceiver(secret, tt.fail, &out)
			if err != nil {
				t.Fatal(err)
			}
			if got := post(t, r, "msg_1", tt.with); got != tt.status {
				t.Errorf("status %d, want %d", got, tt.status)
			}
			if got := out.String(); !strings.Contains(got, tt.prints) || !strings.Contains(got, "msg_1") {
				t.Errorf("printed %q, want the id and %q", got, tt.prints)
			}
		})
	}
}

func TestARepeatIsRecognised(t *testing.T) {
	var out, lines bytes.Buffer
	r, err := newReceiver(secret, 0, &out)
	if err != nil {
		t.Fatal(err)
	}
	r.lines = &lines
	post(t, r, "msg_1", secret)
	post(t, r, "msg_1", secret)
	post(t, r, "msg_2", secret)
	if got := strings.Count(out.String(), "repeat"); got != 1 {
		t.Errorf("%d repeats printed, want 1:\n%s", got, out.String())
	}
	if got := strings.Count(lines.String(), "\n"); got != 3 {
		t.Errorf("%d log lines, want 3", got)
	}
}

func TestItServesUntilItIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	args := []string{"-addr", "127.0.0.1:0", "-log", filepath.Join(t.TempDir(), "log.jsonl")}
	reading, writing := io.Pipe()
	go func() { ended <- run(ctx, args, writing) }()
	line, err := bufio.NewReader(reading).ReadString('\n')
	if err != nil || !strings.Contains(line, "http://127.0.0.1:") {
		t.Errorf("it says %q, %v; want its address", line, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("run ended with %v, want nil", err)
	}
}

func TestASignatureByKeyIsVerified(t *testing.T) {
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize)))
	public := "whpk_" + base64.StdEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	sign := func(id string, at time.Time) string {
		signed := id + "." + strconv.FormatInt(at.Unix(), 10) + "." + body
		return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(signed)))
	}
	now := time.Now()
	tests := map[string]struct {
		at        time.Time
		signature string
		status    int
	}{
		"right":               {now, sign("msg_1", now), 204},
		"right among others":  {now, "v1,AAAA v1a,AAAA " + sign("msg_1", now), 204},
		"of another delivery": {now, sign("msg_2", now), 401},
		"long ago":            {now.Add(-time.Hour), sign("msg_1", now.Add(-time.Hour)), 401},
		"none":                {now, "", 401},
	}
	r, err := newReceiver(public, 0, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		req.Header.Set("webhook-id", "msg_1")
		req.Header.Set("webhook-timestamp", strconv.FormatInt(tt.at.Unix(), 10))
		req.Header.Set("webhook-signature", tt.signature)
		w := httptest.NewRecorder()
		if r.ServeHTTP(w, req); w.Code != tt.status {
			t.Errorf("%s: answered %d, want %d", name, w.Code, tt.status)
		}
	}
	if _, err := newReceiver("whpk_AAAA", 0, io.Discard); err == nil {
		t.Error("a key that is too short is taken")
	}
}
