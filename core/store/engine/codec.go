package engine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/klauspost/compress/flate"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// snapshotFormat is the version of the snapshots that are written.
const snapshotFormat = 1

// snapshot is an incident as JSON, as incident_version keeps it.
type snapshot struct {
	Format       int          `json:"format"`
	ID           core.ID      `json:"id"`
	Tenant       int64        `json:"tenant"`
	Number       int64        `json:"number"`
	Integration  string       `json:"integration"`
	DedupKey     string       `json:"dedup_key,omitempty"`
	SeriesKey    string       `json:"series_key,omitempty"`
	IdentityRule string       `json:"identity_rule,omitempty"`
	Status       core.Status  `json:"status"`
	Severity     sdk.Severity `json:"severity"`
	SeverityRaw  string       `json:"severity_raw,omitempty"`
	SeverityRule string       `json:"severity_rule,omitempty"`
	Title        string       `json:"title"`
	Description  string       `json:"description,omitempty"`
	Service      string       `json:"service,omitempty"`
	Test         bool         `json:"test,omitempty"`
	Count        int          `json:"count"`
	Version      int          `json:"version"`
	FirstAt      int64        `json:"first_at"` // these in microseconds
	LastAt       int64        `json:"last_at"`
	OpenedAt     int64        `json:"opened_at"`
	AckedAt      int64        `json:"acked_at,omitempty"`
	ResolvedAt   int64        `json:"resolved_at,omitempty"`
	Previous     core.ID      `json:"previous,omitempty"`
	Fallback     core.Code    `json:"fallback,omitempty"`
	Waiting      int          `json:"waiting,omitempty"`
	SupersededBy core.ID      `json:"superseded_by,omitempty"`
	Told         []string     `json:"told,omitempty"`
	HeldBy       string       `json:"held_by,omitempty"`
	Group        core.ID      `json:"group,omitempty"`
	Detail
}

// Detail is what of an incident nothing is ever looked up by.
type Detail struct {
	Affected  []string          `json:"affected,omitempty"`
	Impact    *bool             `json:"impact,omitempty"`
	SourceURL string            `json:"source_url,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Metadata  map[string]any    `json:"metadata,omitempty"`
	Links     []sdk.Link        `json:"links,omitempty"`
	Assigned  string            `json:"assigned,omitempty"`
	Noise
}

func detailOf(in *core.Incident) Detail {
	return Detail{in.Affected, in.Impact, in.SourceURL, in.Labels, in.Metadata, in.Links, in.Assigned, noiseOf(in)}
}

// AppendDetail appends the incident's Detail as JSON.
func AppendDetail(raw []byte, in *core.Incident) ([]byte, error) {
	o, d := newObject(raw), detailOf(in)
	d.write(&o)
	raw, err := o.end()
	if err != nil {
		return nil, fmt.Errorf("encode the details of incident %s: %w", in.ID, err)
	}
	return raw, nil
}

func (d *Detail) write(o *object) {
	o.texts("affected", d.Affected)
	if d.Impact != nil {
		o.name("impact")
		o.raw = strconv.AppendBool(o.raw, *d.Impact)
	}
	o.text("source_url", d.SourceURL)
	o.labels("labels", d.Labels)
	o.values("metadata", d.Metadata)
	if len(d.Links) > 0 {
		o.name("links")
		o.value(d.Links)
	}
	o.text("assigned", d.Assigned)
	d.Noise.write(o)
}

// DecodeDetail sets the incident's Detail from JSON.
func DecodeDetail(raw []byte, in *core.Incident) error {
	var d Detail
	if err := decode(raw, &d); err != nil {
		return fmt.Errorf("decode the details of incident %s: %w", in.ID, err)
	}
	d.apply(in)
	return nil
}

func (d *Detail) apply(in *core.Incident) {
	in.Affected, in.Impact, in.SourceURL = unempty(d.Affected), d.Impact, d.SourceURL
	in.Links, in.Assigned = unempty(d.Links), d.Assigned
	if len(d.Labels) > 0 {
		in.Labels = d.Labels
	}
	if len(d.Metadata) > 0 {
		in.Metadata = d.Metadata
	}
	d.Noise.apply(in)
}

// AppendSnapshot appends the whole incident as JSON.
func AppendSnapshot(raw []byte, in *core.Incident) ([]byte, error) {
	o, s := newObject(raw), snapshotOf(in)
	s.write(&o)
	raw, err := o.end()
	if err != nil {
		return nil, fmt.Errorf("encode incident %s: %w", in.ID, err)
	}
	return raw, nil
}

func (s *snapshot) write(o *object) {
	o.num("format", int64(s.Format))
	o.id("id", s.ID)
	o.num("tenant", s.Tenant)
	o.num("number", s.Number)
	o.text("integration", s.Integration)
	o.text("dedup_key", s.DedupKey)
	o.text("series_key", s.SeriesKey)
	o.text("identity_rule", s.IdentityRule)
	o.text("status", string(s.Status))
	o.text("severity", string(s.Severity))
	o.text("severity_raw", s.SeverityRaw)
	o.text("severity_rule", s.SeverityRule)
	o.text("title", s.Title)
	o.text("description", s.Description)
	o.text("service", s.Service)
	o.flag("test", s.Test)
	o.num("count", int64(s.Count))
	o.num("version", int64(s.Version))
	o.num("first_at", s.FirstAt)
	o.num("last_at", s.LastAt)
	o.num("opened_at", s.OpenedAt)
	o.num("acked_at", s.AckedAt)
	o.num("resolved_at", s.ResolvedAt)
	o.id("previous", s.Previous)
	o.text("fallback", string(s.Fallback))
	o.num("waiting", int64(s.Waiting))
	o.id("superseded_by", s.SupersededBy)
	o.texts("told", s.Told)
	o.text("held_by", s.HeldBy)
	o.id("group", s.Group)
	s.Detail.write(o)
}

func snapshotOf(in *core.Incident) snapshot {
	return snapshot{
		Format: snapshotFormat, ID: in.ID, Tenant: in.Tenant, Number: in.Number, Integration: in.Integration,
		DedupKey: in.DedupKey, SeriesKey: in.SeriesKey, IdentityRule: in.IdentityRule,
		Status: in.Status, Severity: in.Severity, SeverityRaw: in.SeverityRaw, SeverityRule: in.SeverityRule,
		Title: in.Title, Description: in.Description, Service: in.Service, Test: in.Test,
		Count: in.Count, Version: in.Version,
		FirstAt: Micros(in.FirstAt), LastAt: Micros(in.LastAt), OpenedAt: Micros(in.OpenedAt),
		AckedAt: Micros(in.AckedAt), ResolvedAt: Micros(in.ResolvedAt),
		Previous: in.Previous, Fallback: in.Fallback, Waiting: in.Waiting, SupersededBy: in.SupersededBy,
		Told: in.Told, HeldBy: in.Held.By, Group: in.Group, Detail: detailOf(in),
	}
}

// DecodeSnapshot returns what AppendSnapshot has written.
func DecodeSnapshot(raw []byte) (*core.Incident, error) {
	var s snapshot
	if err := decode(raw, &s); err != nil {
		return nil, fmt.Errorf("decode a snapshot: %w", err)
	}
	if s.Format != snapshotFormat {
		return nil, fmt.Errorf("snapshot of incident %s has format %d, want %d", s.ID, s.Format, snapshotFormat)
	}
	return s.incident(), nil
}

// incident returns the incident of which s is the snapshot. What is empty is
// nil, as JSON leaves it out.
func (s *snapshot) incident() *core.Incident {
	in := &core.Incident{
		ID: s.ID, Tenant: s.Tenant, Number: s.Number, Integration: s.Integration,
		DedupKey: s.DedupKey, SeriesKey: s.SeriesKey, IdentityRule: s.IdentityRule,
		Status: s.Status, Severity: s.Severity, SeverityRaw: s.SeverityRaw, SeverityRule: s.SeverityRule,
		Title: s.Title, Description: s.Description, Service: s.Service, Test: s.Test,
		Count: s.Count, Version: s.Version,
		FirstAt: Time(s.FirstAt), LastAt: Time(s.LastAt), OpenedAt: Time(s.OpenedAt),
		AckedAt: Time(s.AckedAt), ResolvedAt: Time(s.ResolvedAt),
		Previous: s.Previous, Fallback: s.Fallback, Waiting: s.Waiting, SupersededBy: s.SupersededBy, Told: unempty(s.Told),
		Held: core.Hold{By: s.HeldBy}, Group: s.Group,
	}
	s.apply(in)
	return in
}

func unempty[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// decode keeps numbers as they were written.
func decode(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(into)
}

// Micros returns a time as it is stored: microseconds since 1970, zero for no
// time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time returns the time that Micros has written, in UTC.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// EncodeList returns a list as JSON, "" for an empty one.
func EncodeList[T core.ID | string](list []T) string {
	if len(list) == 0 {
		return ""
	}
	raw, _ := json.Marshal(list) // strings and numbers can't fail
	return string(raw)
}

// DecodeList returns what EncodeList has written.
func DecodeList[T core.ID | string](raw string) ([]T, error) {
	if raw == "" {
		return nil, nil
	}
	var list []T
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		return nil, fmt.Errorf("decode a list: %w", err)
	}
	return list, nil
}

// EncodeHeader returns a request's header as JSON, "" for an empty one.
func EncodeHeader(h http.Header) string {
	if len(h) == 0 {
		return ""
	}
	o := newObject(make([]byte, 0, 256))
	o.fields(h)
	raw, _ := o.end() // texts can't fail
	return string(raw)
}

// DecodeHeader returns what EncodeHeader has written.
func DecodeHeader(raw string) (http.Header, error) {
	if raw == "" {
		return nil, nil
	}
	var h http.Header
	if err := json.Unmarshal([]byte(raw), &h); err != nil {
		return nil, fmt.Errorf("decode a header: %w", err)
	}
	return h, nil
}

// exchange is the part of an attempt that only people read.
type exchange struct {
	Sent   core.Sent   `json:"sent"`
	Header http.Header `json:"header,omitempty"`
}

// EncodeExchange returns what an attempt's sides said, "" for nothing.
func EncodeExchange(a *core.Attempt) string {
	if a.Sent.Method == "" && len(a.Header) == 0 {
		return ""
	}
	o := newObject(make([]byte, 0, 1<<10))
	o.name("sent")
	o.raw = append(o.raw, '{')
	o.text("method", a.Sent.Method)
	o.text("url", a.Sent.URL)
	o.header("header", a.Sent.Header)
	o.raw = append(o.raw, '}')
	o.header("header", a.Header)
	raw, _ := o.end() // texts can't fail
	return string(raw)
}

// DecodeExchange reads what EncodeExchange has written.
func DecodeExchange(raw string, to *core.Attempt) error {
	if raw == "" {
		return nil
	}
	var e exchange
	if err := json.Unmarshal([]byte(raw), &e); err != nil {
		return fmt.Errorf("decode an exchange: %w", err)
	}
	to.Sent, to.Header = e.Sent, e.Header
	return nil
}

// deflate returns the body compressed, or as it is if that is no shorter.
func (e *Engine) deflate(body []byte) (out []byte, deflated bool) {
	w, ok := e.deflaters.Get().(*flate.Writer)
	if !ok {
		w, _ = flate.NewWriter(nil, flate.BestSpeed) // the level is a valid one
	}
	defer e.deflaters.Put(w)
	buf := bytes.NewBuffer(make([]byte, 0, len(body)/2+64))
	w.Reset(buf)
	_, err := w.Write(body)
	if err = cmp.Or(err, w.Close()); err != nil || buf.Len() >= len(body) {
		return body, false
	}
	return buf.Bytes(), true
}

// Inflate returns the body that was deflated for Stored.
func Inflate(raw []byte) ([]byte, error) {
	r := flate.NewReader(bytes.NewReader(raw))
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("inflate a body: %w", err)
	}
	return body, nil
}
