package email

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/wording"
)

// Limits in characters, of our own.
const (
	maxSubject = 200
	maxText    = 10000
	maxValue   = 500
	maxURL     = 2000
)

// mail makes the message: text, and the same as HTML. It has one id on every
// attempt, and mails about one incident are one conversation.
func (s *Sender) mail(m core.Message) []byte {
	var b bytes.Buffer
	thread := "<" + wording.IncidentKey(m.Incident) + "@" + domain(s.from) + ">"
	boundary := "=_" + m.ID
	header := [][2]string{
		{"From", s.from.String()},
		{"To", joined(s.to)},
		{"Reply-To", replyTo(s.replyTo)},
		{"Subject", mime.QEncoding.Encode("utf-8", wording.Cut(s.words.Title(m), maxSubject))},
		{"Date", m.Now.Format(time.RFC1123Z)},
		{"Message-ID", "<" + m.ID + "@" + domain(s.from) + ">"},
		{"In-Reply-To", thread},
		{"References", thread},
		{"Auto-Submitted", "auto-generated"}, // RFC 3834: nobody's holiday answers it
		{"X-Auto-Response-Suppress", "All"},
		{"X-Bellcrank-Incident", m.Incident.Name()},
		{"MIME-Version", "1.0"},
		{"Content-Type", `multipart/alternative; boundary="` + boundary + `"`},
	}
	for _, h := range header {
		if h[1] != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
		}
	}
	part(&b, boundary, "text/plain", s.text(m))
	part(&b, boundary, "text/html", s.html(m))
	fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
	return b.Bytes()
}

func joined(all []*mail.Address) string {
	var texts []string
	for _, a := range all {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ",\r\n ") // a header's line has its limits
}

func replyTo(a *mail.Address) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// part writes one form of the text. Writing to a buffer doesn't fail.
func part(b *bytes.Buffer, boundary, kind, text string) {
	fmt.Fprintf(b, "\r\n--%s\r\nContent-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", boundary, kind)
	w := quotedprintable.NewWriter(b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
}

func (s *Sender) text(m core.Message) string {
	var b strings.Builder
	plain := wording.Escaping{}
	fmt.Fprintf(&b, "%s\n\n", s.words.Title(m))
	if text := s.words.Text(m); text != "" {
		fmt.Fprintf(&b, "%s\n\n", plain.Escape(text, maxText))
	}
	for _, f := range wording.Facts(m.Incident) {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, plain.Escape(wording.Line(f.Value), maxValue))
	}
	for _, l := range wording.Links(m) {
		if len(l.URL) <= maxURL {
			fmt.Fprintf(&b, "\n%s: %s", wording.Cut(l.Name, 100), l.URL)
		}
	}
	return b.String() + "\n"
}

func (s *Sender) html(m core.Message) string {
	var b strings.Builder
	e := wording.HTML()
	fmt.Fprintf(&b, `<h2 style="border-left:6px solid #%06x;padding-left:10px">%s</h2>`,
		wording.Colour(m.Incident), e.Escape(s.words.Title(m), maxSubject*2))
	if text := s.words.Text(m); text != "" {
		fmt.Fprintf(&b, `<p style="white-space:pre-wrap">%s</p>`, e.Escape(text, maxText))
	}
	b.WriteString("<table>")
	for _, f := range wording.Facts(m.Incident) {
		fmt.Fprintf(&b, "<tr><td><b>%s</b></td><td>%s</td></tr>", f.Name, e.Escape(f.Value, maxValue))
	}
	b.WriteString("</table>")
	for _, l := range wording.Links(m) {
		if len(l.URL) <= maxURL {
			fmt.Fprintf(&b, `<p><a href="%s">%s</a></p>`, e.Escape(l.URL, 6*maxURL), e.Escape(l.Name, 100))
		}
	}
	return b.String()
}
