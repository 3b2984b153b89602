package sdk

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

func TestTextTakesWhateverComes(t *testing.T) {
	for raw, want := range map[string]Text{
		`"a b"`: "a b", `12345678901234567890`: "12345678901234567890", `1.50`: "1.50", `true`: "true",
		`null`: "", `{"a":1}`: "", `["a"]`: "", `""`: "", `"\ud800"`: "\uFFFD",
	} {
		var got struct {
			Member Text `json:"m"`
		}
		if err := json.Unmarshal([]byte(`{"m":`+raw+`}`), &got); err != nil || got.Member != want {
			t.Errorf("%s: got %q, %v; want %q", raw, got.Member, err, want)
		}
	}
}

func TestTextsTakeListsAndCommas(t *testing.T) {
	for raw, want := range map[string]Texts{
		`["a"," b ",3,null,{}]`: {"a", "b", "3"}, `"a, b,,c"`: {"a", "b", "c"}, `null`: nil, `7`: {"7"}, `{"a":1}`: nil,
	} {
		var got Texts
		if err := json.Unmarshal([]byte(raw), &got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v; want %q", raw, got, err, want)
		}
	}
}

func TestTextsAreCleaned(t *testing.T) {
	if got, want := Line(" a\tb\r\n c\x00\xff "), "a b c \uFFFD"; got != want {
		t.Errorf("Line = %q, want %q", got, want)
	}
	if got, want := Paragraphs("\r\na\r\n\r\n\r\n\r\nb\tc\x07\n"), "a\n\nb\tc"; got != want {
		t.Errorf("Paragraphs = %q, want %q", got, want)
	}
}

func TestAbsoluteURLsAloneAreURLs(t *testing.T) {
	for in, want := range map[string]string{
		"\thttps://a.example/b?c=1\n": "https://a.example/b?c=1", "http://a": "http://a",
		"/a": "", "?a=1": "", "javascript:alert(1)": "", "a.example": "", "": "", "https://": "", "://": "", "https://a.example@b.example/": "",
	} {
		if got := AbsoluteURL(in); got != want {
			t.Errorf("AbsoluteURL(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWordsForStatesBecomeActions(t *testing.T) {
	for word, want := range map[string]Action{
		"\tFiring\n": Trigger, "RESOLVED": Resolve, "ok": Resolve, "ack": Acknowledge, "": "", "sideways": "",
	} {
		if got := ActionOf(word); got != want {
			t.Errorf("ActionOf(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestTimesInVendorsFormats(t *testing.T) {
	want := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, s := range []string{
		"2026-03-01T12:00:00Z", "2026-03-01T14:00:00+02:00", "2026-03-01T14:00:00+0200", "2026-03-01 12:00:00",
		"2026-03-01T12:00:00.000", "2026-03-01 12:00:00 UTC", "Sun, 01 Mar 2026 12:00:00 GMT",
		"1772366400", "1772366400.0000004", "1772366400000", "1772366400000000", "1772366400000000000", " 1772366400 ",
	} {
		if got := ParseTime(s); !got.Equal(want) {
			t.Errorf("ParseTime(%q) = %v, want %v", s, got, want)
		}
	}
	for _, s := range []string{"", "soon", "0", "-5", "NaN", "1e400", "2026-13-01", "0001-01-01T05:00:00+05:00"} {
		if got := ParseTime(s); !got.IsZero() {
			t.Errorf("ParseTime(%q) = %v, want none", s, got)
		}
	}
}

func TestFingerprintsTellPartsApart(t *testing.T) {
	if Fingerprint("ab", "c") == Fingerprint("a", "bc") || Fingerprint("a") == Fingerprint("a", "") {
		t.Error("different parts have one fingerprint")
	}
	labels := map[string]string{"host": "a", "job": "b"}
	if got, want := LabelFingerprint(labels), Fingerprint("host", "a", "job", "b"); got != want {
		t.Errorf("LabelFingerprint = %s, want %s", got, want)
	}
	// It is part of stored keys: a change would part problems from their ends.
	if got, want := Fingerprint("disk", "sda"), "66f6bd76c99c9f5e81b91b51"; got != want {
		t.Errorf("Fingerprint = %s, want %s for ever", got, want)
	}
}
