package email

import (
	"context"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the mechanism CRAM-MD5 asks for it
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newSender(t *testing.T, p *postOffice, more map[string]any) *Sender {
	t.Helper()
	settings := map[string]any{
		"server": p.listener.Addr().String(), "ca": p.ca, "username": "bells", "password": "s3cr3t",
		"from": "Bells <bells@gateway.example>", "to": []string{"ops@example.com", "Jürgen <j@example.com>"},
	}
	for name, value := range more {
		settings[name] = value
	}
	s, err := New(destinationtest.Config(t, settings))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAMailGoesThroughEveryKindOfServer(t *testing.T) {
	tests := map[string]struct {
		office   *postOffice
		settings map[string]any
	}{
		"STARTTLS, PLAIN":       {&postOffice{auth: "LOGIN PLAIN"}, nil},
		"STARTTLS, LOGIN":       {&postOffice{auth: "LOGIN"}, nil},
		"STARTTLS, CRAM-MD5":    {&postOffice{auth: "CRAM-MD5"}, nil},
		"implicit TLS":          {&postOffice{auth: "PLAIN", implicit: true}, map[string]any{"tls": "implicit"}},
		"a relay without login": {&postOffice{}, map[string]any{"tls": "none", "username": ""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := tt.office.open(t)
			s := newSender(t, p, tt.settings)
			for _, kind := range core.Kinds() {
				a := destinationtest.Send(t, s, destinationtest.Message(kind))
				if a.Status != 200 || a.Err != nil || !a.Address.Addr().IsLoopback() {
					t.Errorf("%s: answer %+v, want 200 from this machine", kind, a)
				}
			}
			said, mails := p.received()
			if len(mails) != len(core.Kinds()) {
				t.Errorf("%d mails, want %d", len(mails), len(core.Kinds()))
			}
			all := strings.Join(said, "\n")
			for _, want := range []string{"EHLO gateway.example", "MAIL FROM:<bells@gateway.example>", "RCPT TO:<ops@example.com>", "RCPT TO:<j@example.com>"} {
				if !strings.Contains(all, want) {
					t.Errorf("the server heard\n%s\nwant %s", all, want)
				}
			}
		})
	}
}

// bodies returns the parts of a mail by their kind.
func bodies(t *testing.T, m *mail.Message) map[string]string {
	t.Helper()
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		all[p.Header.Get("Content-Type")] = string(text)
	}
}

func parsed(t *testing.T, p *postOffice) *mail.Message {
	t.Helper()
	_, mails := p.received()
	m, err := mail.ReadMessage(strings.NewReader(mails[len(mails)-1]))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMailsAboutAnIncidentAreOneConversation(t *testing.T) {
	p := (&postOffice{auth: "PLAIN"}).open(t)
	s := newSender(t, p, map[string]any{"reply_to": "sre@example.com"})
	for kind, subject := range map[core.Kind]string{
		core.Created: "[INC-042] High: Disk is full", core.AckedKind: "[INC-042] Acknowledged: Disk is full",
		core.ResolvedKind: "[INC-042] Resolved: Disk is full",
	} {
		destinationtest.Send(t, s, destinationtest.Message(kind))
		m := parsed(t, p)
		for name, want := range map[string]string{
			"Subject": subject, "From": `"Bells" <bells@gateway.example>`, "Reply-To": "<sre@example.com>",
			"Message-Id": "<msg_0dxerb0000000@gateway.example>", "References": "<bellcrank-000000000000e@gateway.example>",
			"Auto-Submitted": "auto-generated", "X-Bellcrank-Incident": "INC-042",
		} {
			if got := m.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", kind, name, got, want)
			}
		}
		to, err := m.Header.AddressList("To")
		if err != nil || len(to) != 2 || to[1].Name != "Jürgen" {
			t.Errorf("%s: recipients %v, %v; want two", kind, to, err)
		}
		parts := bodies(t, m)
		text, html := parts["text/plain; charset=utf-8"], parts["text/html; charset=utf-8"]
		if !strings.Contains(text, "98 % of /var is used.") || !strings.Contains(text, "Runbook: https://wiki.example/disk") {
			t.Errorf("%s: text %q, want the description and the links", kind, text)
		}
		if !strings.Contains(html, `<a href="https://wiki.example/disk">Runbook</a>`) {
			t.Errorf("%s: HTML %q, want the links", kind, html)
		}
	}
}

func TestASenderWritesNoHeadersAndNoMarkup(t *testing.T) {
	p := (&postOffice{auth: "PLAIN"}).open(t)
	m := destinationtest.Hostile()
	m.Incident.Description = ".\r\nQUIT\r\n" + m.Incident.Description
	if a := destinationtest.Send(t, newSender(t, p, nil), m); a.Status != 200 {
		t.Errorf("answer %+v, want 200", a)
	}
	got := parsed(t, p)
	if got.Header.Get("Bcc") != "" || len(got.Header) > 14 {
		t.Errorf("headers %v, want ours only", got.Header)
	}
	if html := bodies(t, got)["text/html; charset=utf-8"]; strings.Contains(html, "</p>\n") || strings.Contains(html, "<!channel>") {
		t.Error("the HTML has markup of the sender's")
	}
	said, _ := p.received()
	if n := strings.Count(strings.Join(said, "\n"), "QUIT"); n != 1 {
		t.Errorf("QUIT was heard %d times, want once", n)
	}
}

func TestWhatAServerRefuses(t *testing.T) {
	tests := map[string]struct {
		office  *postOffice
		attempt int
		class   core.FaultClass
		says    string
	}{
		"the greeting":                {&postOffice{replies: map[string]string{"EHLO": "421 busy", "HELO": "421 busy"}}, 1, core.DestinationFault, "busy"},
		"the password":                {&postOffice{auth: "PLAIN", replies: map[string]string{"AUTH": "535 no"}}, 1, core.DestinationFault, "login as bells"},
		"the sender":                  {&postOffice{auth: "PLAIN", replies: map[string]string{"MAIL": "550 who?"}}, 1, core.DestinationFault, "sender"},
		"all recipients":              {&postOffice{auth: "PLAIN", replies: map[string]string{"RCPT": "550 unknown"}}, 1, core.DestinationFault, "unknown"},
		"one for good":                {&postOffice{auth: "PLAIN", replies: map[string]string{"RCPT TO:<ops": "550 unknown"}}, 1, core.NoFault, ""},
		"one for the moment":          {&postOffice{auth: "PLAIN", replies: map[string]string{"RCPT TO:<ops": "451 greylisted"}}, 1, core.DestinationFault, "greylisted"},
		"one for the moment, again":   {&postOffice{auth: "PLAIN", replies: map[string]string{"RCPT TO:<ops": "451 greylisted"}}, 2, core.NoFault, ""},
		"the mail, by its content":    {&postOffice{auth: "PLAIN", replies: map[string]string{"END": "554 spam"}}, 1, core.DeliveryFault, "spam"},
		"the mail, for the moment":    {&postOffice{auth: "PLAIN", replies: map[string]string{"END": "452 full"}}, 1, core.DestinationFault, "full"},
		"to be encrypted":             {&postOffice{replies: map[string]string{"EHLO": "250 post.example"}}, 1, core.DestinationFault, "offers no STARTTLS"},
		"to let anybody log in":       {&postOffice{auth: "", replies: map[string]string{"AUTH": "502 no"}}, 1, core.DestinationFault, "login"},
		"what we can't do: mechanism": {&postOffice{auth: "NTLM", replies: map[string]string{"AUTH": "504 no such mechanism"}}, 1, core.DestinationFault, "login"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := tt.office.open(t)
			m := destinationtest.Message(core.Created)
			m.Attempt = tt.attempt
			a := destinationtest.Send(t, newSender(t, p, nil), m)
			class, _ := a.Classify(time.Now())
			if class != tt.class || tt.says != "" && (a.Err == nil || !strings.Contains(a.Err.Error(), tt.says)) {
				t.Errorf("answer %+v is class %q, want %q and %q", a, class, tt.class, tt.says)
			}
			if tt.class == core.NoFault && !strings.Contains(a.Snippet, "1 of 2") {
				t.Errorf("snippet %q, want it to say who got it", a.Snippet)
			}
			if a.Err != nil && strings.Contains(a.Err.Error(), "s3cr3t") {
				t.Errorf("error %v has the password", a.Err)
			}
		})
	}
}

func TestAServerThatFallsSilentEndsWithTheAttempt(t *testing.T) {
	p := (&postOffice{auth: "PLAIN", replies: map[string]string{"MAIL": "silence"}}).open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	a := newSender(t, p, nil).Send(ctx, destinationtest.Message(core.Created))
	if class, _ := a.Classify(time.Now()); class != core.DestinationFault || a.Err == nil {
		t.Errorf("answer %+v is class %q, want %q", a, class, core.DestinationFault)
	}
}

func TestARehearsalMailsNothing(t *testing.T) {
	p := (&postOffice{auth: "PLAIN"}).open(t)
	ctx, _ := core.Rehearse(t.Context())
	a := newSender(t, p, nil).Send(ctx, destinationtest.Message(core.Created))
	if said, _ := p.received(); len(said) > 0 || !errors.Is(a.Err, core.ErrRehearsed) {
		t.Errorf("the server heard %q, and the answer is %v; want nothing of a rehearsal", said, a.Err)
	}
}

func TestACertificateOfSomebodyElseIsRefused(t *testing.T) {
	p := (&postOffice{auth: "PLAIN"}).open(t)
	a := destinationtest.Send(t, newSender(t, p, map[string]any{"ca": ""}), destinationtest.Message(core.Created))
	if a.Err == nil || !strings.Contains(a.Err.Error(), "TLS") {
		t.Errorf("answer %+v, want a refusal of the certificate", a)
	}
	if said, _ := p.received(); strings.Contains(strings.Join(said, "\n"), "AUTH") {
		t.Error("the password was sent all the same")
	}
}

func TestOnlyPublicServersAreDialled(t *testing.T) {
	p := (&postOffice{auth: "PLAIN"}).open(t)
	cfg := destinationtest.Config(t, map[string]any{"server": p.listener.Addr().String(), "from": "a@a.example", "to": []string{"b@b.example"}})
	cfg.AllowedCIDRs = nil
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if a := destinationtest.Send(t, s, destinationtest.Message(core.Created)); a.Err == nil || a.Status != 0 {
		t.Errorf("answer %+v, want this machine refused", a)
	}
}

func TestTheServersVectorIsRight(t *testing.T) {
	mac := hmac.New(md5.New, []byte("s3cr3t"))
	mac.Write([]byte("<1@post.example>"))
	if got := "bells " + hex.EncodeToString(mac.Sum(nil)); got != cramAnswer {
		t.Errorf("the answer is %q, the server wants %q", got, cramAnswer)
	}
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	good := map[string]any{"server": "smtp.example.com:587", "from": "a@a.example", "to": []string{"b@b.example"}}
	tests := map[string]map[string]any{
		"server must be":      {"server": "smtp.example.com"},
		"username can't":      {"tls": "none", "username": "a"},
		"from: \"a\"":         {"from": "a"},
		"to: \"b\\nBcc: c\"":  {"to": []string{"b\nBcc: c"}},
		"to has 0 recipients": {"to": []string{}},
		"reply_to: ":          {"reply_to": "x"},
		"ca holds":            {"ca": "x"},
	}
	for want, change := range tests {
		settings := map[string]any{}
		for _, set := range []map[string]any{good, change} {
			for name, value := range set {
				settings[name] = value
			}
		}
		if _, err := New(destinationtest.Config(t, settings)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want one that begins with %s", err, want)
		}
	}
	if _, err := New(destinationtest.Config(t, good)); err != nil {
		t.Error(fmt.Errorf("good settings were refused: %w", err))
	}
}
