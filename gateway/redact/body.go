package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Request is the part of a request that becomes a case.
type Request struct {
	Path, Query string
	Header      http.Header
	Body        []byte // decoded
}

// Request redacts a request. What it returns shares nothing with what it got.
func (r *Redactor) Request(in Request) Request {
	kind, _, _ := mime.ParseMediaType(in.Header.Get("Content-Type")) // what can't be read is JSON or text
	// Twice: what a member's name gives away is also in texts before it.
	body := r.body(kind, in.Body)
	out := Request{Path: r.text([]string{"path"}, in.Path), Query: r.form("query", in.Query), Header: r.header(in.Header)}
	r.kept = nil
	out.Body = r.repeated(kind, body)
	return out
}

func (r *Redactor) body(kind string, body []byte) []byte {
	if out, err := rewrite(body, r.text); err == nil {
		return out
	}
	if kind == "application/x-www-form-urlencoded" {
		return []byte(r.form("body", string(body)))
	}
	return []byte(r.text([]string{"body"}, string(body)))
}

// repeated replaces in texts what was replaced elsewhere, and notes the texts
// that a person should read.
func (r *Redactor) repeated(kind string, body []byte) []byte {
	again := func(path []string, value string) string {
		where := strings.Join(path, ".")
		if k, _ := named(path); k != "" || r.stands(value) {
			return value
		}
		value = r.again(where, value)
		if strings.Count(strings.TrimSpace(value), " ") > 0 {
			r.kept = append(r.kept, where+": "+value)
		}
		return value
	}
	if out, err := rewrite(body, again); err == nil {
		return out
	}
	if kind == "application/x-www-form-urlencoded" {
		return body
	}
	return []byte(again([]string{"body"}, string(body)))
}

// form redacts a query or a form, a value that is JSON as such.
func (r *Redactor) form(where, raw string) string {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return r.text([]string{where}, raw)
	}
	for name, list := range values {
		for i, value := range list {
			list[i] = inText([]string{where, name}, value, r.text)
		}
	}
	return values.Encode()
}

// noise are headers that say nothing about a request's meaning, or that prove
// who sent it.
var noise = []string{
	"accept", "authorization", "connection", "content-encoding", "content-length", "cookie", "date", "forwarded", "host",
	"keep-alive", "traceparent", "tracestate", "transfer-encoding", "via", "cf-", "x-forwarded", "x-real-ip", "x-request-id", "x-amzn-trace",
}

// header leaves out what proves who sent a request, and what proxies added.
func (r *Redactor) header(in http.Header) http.Header {
	out := http.Header{}
	for name, values := range in {
		lower := strings.ToLower(name)
		if slices.ContainsFunc(noise, func(n string) bool { return strings.HasPrefix(lower, n) }) || strings.Contains(lower, "signature") ||
			endsIn(plain(name), secretNames) {
			continue
		}
		for _, value := range values {
			out.Add(name, r.text([]string{"header", name}, value))
		}
	}
	return out
}

// inText redacts a text that holds JSON as JSON.
func inText(path []string, value string, with func([]string, string) string) string {
	if trimmed := strings.TrimSpace(value); strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
		if out, err := rewriteAt(path, []byte(value), with); err == nil {
			return string(out)
		}
	}
	return with(path, value)
}

var errNoJSON = errors.New("this isn't one JSON value")

// rewrite changes the texts of a JSON value. Everything else stays as it is:
// the order of members, doubled ones, numbers as written.
func rewrite(body []byte, with func(path []string, value string) string) ([]byte, error) {
	return rewriteAt([]string{"body"}, body, with)
}

func rewriteAt(path []string, body []byte, with func([]string, string) string) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	w := rewriter{decoder: d, with: with}
	if err := w.value(path); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNoJSON
	}
	return w.out.Bytes(), nil
}

type rewriter struct {
	decoder *json.Decoder
	with    func([]string, string) string
	out     bytes.Buffer
}

func (w *rewriter) value(path []string) error {
	token, err := w.decoder.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return w.object(path)
		}
		return w.list(path)
	case string:
		w.quote(inText(path, t, w.with))
	case nil:
		w.out.WriteString("null")
	default:
		fmt.Fprint(&w.out, t)
	}
	return nil
}

func (w *rewriter) object(path []string) error {
	w.out.WriteByte('{')
	for i := 0; w.decoder.More(); i++ {
		token, err := w.decoder.Token()
		if err != nil {
			return err
		}
		if i > 0 {
			w.out.WriteByte(',')
		}
		name, _ := token.(string) // the decoder lets nothing else be a name
		w.quote(name)
		w.out.WriteByte(':')
		if err := w.value(append(slices.Clip(path), name)); err != nil {
			return err
		}
	}
	w.out.WriteByte('}')
	_, err := w.decoder.Token()
	return err
}

func (w *rewriter) list(path []string) error {
	w.out.WriteByte('[')
	for i := 0; w.decoder.More(); i++ {
		if i > 0 {
			w.out.WriteByte(',')
		}
		// The list's own name counts for its elements.
		inner := path
		if len(path) > 0 {
			inner = append(slices.Clone(path[:len(path)-1]), path[len(path)-1]+"["+strconv.Itoa(i)+"]")
		}
		if err := w.value(inner); err != nil {
			return err
		}
	}
	w.out.WriteByte(']')
	_, err := w.decoder.Token()
	return err
}

func (w *rewriter) quote(s string) {
	e := json.NewEncoder(&w.out)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a text always has an encoding
	w.out.Truncate(w.out.Len() - 1)
}
