package core

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"testing"
	"time"

	"bellcrank.example/sdk"
)

func TestIDsRiseWhateverTheClockDoes(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := now
	ids := NewIDs(3, 0, func() time.Time { return clock })
	last := ID(0)
	for i := range 20_000 {
		switch i {
		case 5_000:
			clock = now.Add(-time.Hour)
		case 10_000:
			clock = now.Add(time.Hour)
		}
		id := ids.Next()
		if id <= last {
			t.Fatalf("id %d: %d is not above %d", i, id, last)
		}
		last = id
	}
	after := NewIDs(3, last, func() time.Time { return now })
	if id := after.Next(); id <= last {
		t.Errorf("after a restart %d is not above the high-water mark %d", id, last)
	}
}

func TestIDStringsSortAsTheIDsDo(t *testing.T) {
	ids := NewIDs(1, 0, time.Now)
	var last string
	for range 10_000 {
		id := ids.Next()
		s := id.String()
		if s <= last {
			t.Fatalf("%q does not sort behind %q", s, last)
		}
		last = s
		if back, err := ParseID(s); err != nil || back != id {
			t.Fatalf("ParseID(%q) = %d, %v; want %d", s, back, err, id)
		}
	}
}

func TestParseIDRefusesWhatIsNone(t *testing.T) {
	for _, s := range []string{"", "abc", "0000000000000", "zzzzzzzzzzzzz", "01h455vb4pex5vsknk084sn02q"} {
		if id, err := ParseID(s); err == nil {
			t.Errorf("ParseID(%q) = %d, want an error", s, id)
		}
	}
}

func TestIncidentNames(t *testing.T) {
	for number, name := range map[int64]string{1: "INC-001", 42: "INC-042", 12345: "INC-12345"} {
		if got := IncidentName(number); got != name {
			t.Errorf("IncidentName(%d) = %s, want %s", number, got, name)
		}
		if got, err := ParseIncidentName(name); err != nil || got != number {
			t.Errorf("ParseIncidentName(%s) = %d, %v; want %d", name, got, err, number)
		}
	}
	for _, s := range []string{"", "INC-", "INC-x", "INC--1", "0"} {
		if n, err := ParseIncidentName(s); err == nil {
			t.Errorf("ParseIncidentName(%q) = %d, want an error", s, n)
		}
	}
}

func TestSecretsShowNothing(t *testing.T) {
	s := NewSecret("hunter2\n")
	if s.Reveal() != "hunter2" {
		t.Errorf("Reveal = %q, want hunter2 without the line end", s.Reveal())
	}
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %q", s, s, s), fmt.Sprintf("%v", struct{ S Secret }{s})} {
		if bytes.Contains([]byte(shown), []byte("hunter2")) {
			t.Errorf("a secret shows: %s", shown)
		}
	}
}

func TestSeverityPrecedence(t *testing.T) {
	policy := SeverityPolicy{Map: map[string]sdk.Severity{"sev-x": sdk.Critical}, Default: sdk.Low}
	tests := map[string]struct {
		policy SeverityPolicy
		event  sdk.Event
		want   sdk.Severity
		rule   string
	}{
		"the operator's map is above the adapter": {policy, sdk.Event{Severity: sdk.High, SeverityRaw: "SEV-X"}, sdk.Critical, "map: SEV-X"},
		"the adapter is above the default":        {policy, sdk.Event{Severity: sdk.High, SeverityRaw: "high"}, sdk.High, "adapter"},
		"the operator's default":                  {policy, sdk.Event{SeverityRaw: "huge"}, sdk.Low, "integration default"},
		"medium when nobody says":                 {SeverityPolicy{}, sdk.Event{}, sdk.Medium, "default"},
		"a star maps all": {
			SeverityPolicy{Map: map[string]sdk.Severity{"*": sdk.Low}}, sdk.Event{Severity: sdk.High, SeverityRaw: "x"}, sdk.Low, "map: *",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, rule := tt.policy.Decide(&tt.event); got != tt.want || rule != tt.rule {
				t.Errorf("Decide = %s by %q, want %s by %q", got, rule, tt.want, tt.rule)
			}
		})
	}
}

func TestServicePolicy(t *testing.T) {
	policy := ServicePolicy{Map: map[string]string{"checkout-*": "checkout", "checkout-eu-*": "checkout-eu", "db": "database"}, Default: "unknown"}
	for in, want := range map[string]string{
		"": "unknown", "db": "database", "DB": "database", "checkout-web": "checkout", "checkout-eu-1": "checkout-eu", "other": "other",
	} {
		if got := policy.Decide(in); got != want {
			t.Errorf("Decide(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDecode(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	w.Write([]byte("hello"))
	w.Close()
	if got, err := Decode(zipped.Bytes(), "gzip", 5); err != nil || string(got) != "hello" {
		t.Errorf("gzip: %q, %v", got, err)
	}
	if got, err := Decode([]byte("hello"), "", 1); err != nil || string(got) != "hello" {
		t.Errorf("identity: %q, %v", got, err)
	}
	if _, err := Decode(zipped.Bytes(), "gzip", 4); !hasCode(err, PayloadTooLarge) {
		t.Errorf("past the limit: %v, want %s", err, PayloadTooLarge)
	}
	if _, err := Decode(zipped.Bytes(), "br", 4); !hasCode(err, UnsupportedEncoding) {
		t.Errorf("brotli: %v, want %s", err, UnsupportedEncoding)
	}
	if _, err := Decode([]byte("junk"), "gzip", 4); err == nil {
		t.Error("junk was decoded")
	}
}

func hasCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
