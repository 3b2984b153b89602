package pluginhost

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bellcrank.example/sdk"
)

// key mends a key so that equal keys stay equal and different ones different.
func key(s string) string {
	s = storable(s)
	if len(s) <= maxKey {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	digest := hex.EncodeToString(sum[:])
	return cut(s, maxKey-len(digest)-1) + "#" + digest
}

// text mends what can't be stored, and cuts what is too long.
func (c *checker) text(what, s string, most int) string {
	s = storable(s)
	if len(s) <= most {
		return s
	}
	c.note("%s cut from %d to %d bytes", what, len(s), most)
	return cut(s, most)
}

func (c *checker) list(what string, list []string, most, each int) []string {
	if len(list) > most {
		c.note("%s: %d of %d kept", what, most, len(list))
		list = list[:most]
	}
	for i, s := range list {
		list[i] = oneLine(c.text(what, s, each))
	}
	return list
}

func (c *checker) labels(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	if allFine(labels) {
		return labels
	}
	names := slices.Sorted(maps.Keys(labels)) // the same ones are kept each time
	if len(names) > maxLabels {
		c.note("labels: %d of %d kept", maxLabels, len(names))
		names = names[:maxLabels]
	}
	checked := make(map[string]string, len(names))
	for _, name := range names {
		checked[oneLine(c.text("label name", name, maxWord))] = c.text("label", labels[name], maxLabel)
	}
	return checked
}

// allFine reports whether labels may stay as they are.
func allFine(labels map[string]string) bool {
	for name, value := range labels {
		if len(name) > maxWord || len(value) > maxLabel || !isStorable(name) || !isStorable(value) || breaksLine(name) {
			return false
		}
	}
	return len(labels) <= maxLabels
}

// metadata is dropped whole when it is too large: half an object misleads.
func (c *checker) metadata(m map[string]any) map[string]any {
	if len(m) == 0 {
		return nil
	}
	size, clean := measure(m)
	if size > maxMetadata {
		c.note("metadata dropped: about %d bytes of JSON, %d are the most", size, maxMetadata)
		return nil
	}
	if clean {
		return m
	}
	mended, _ := mend(m).(map[string]any)
	return mended
}

// measure returns about how long a value is as JSON, and whether its strings
// can be stored as they are.
func measure(value any) (size int, clean bool) {
	switch v := value.(type) {
	case string:
		return len(v) + 2, isStorable(v)
	case json.Number:
		return len(v), true
	case []any:
		size, clean = 2, true
		for _, element := range v {
			n, ok := measure(element)
			size, clean = size+n+1, clean && ok
		}
		return size, clean
	case map[string]any:
		size, clean = 2, true
		for name, member := range v {
			n, ok := measure(member)
			size, clean = size+len(name)+n+4, clean && ok && isStorable(name)
		}
		return size, clean
	}
	return len("false"), true
}

// mend replaces in strings what can't be stored.
func mend(value any) any {
	switch v := value.(type) {
	case string:
		return storable(v)
	case []any:
		for i := range v {
			v[i] = mend(v[i])
		}
	case map[string]any:
		mended := make(map[string]any, len(v))
		for name, member := range v {
			mended[storable(name)] = mend(member)
		}
		return mended
	}
	return value
}

func (c *checker) links(links []sdk.Link) []sdk.Link {
	var checked []sdk.Link
	for _, l := range links {
		l.Name = oneLine(c.text("link's name", l.Name, maxWord))
		if l.URL = c.link("link", l.URL); l.URL == "" {
			continue
		}
		if len(checked) == maxLinks {
			c.note("links: %d of %d kept", maxLinks, len(links))
			break
		}
		checked = append(checked, l)
	}
	return checked
}

// link drops what isn't an absolute http or https URL: it would be clicked on.
func (c *checker) link(what, s string) string {
	if s == "" || isURL(s, "http", "https") {
		return s
	}
	c.note("%s dropped: not an absolute http or https URL", what)
	return ""
}

func (c *checker) confirm(r *sdk.Confirm) *sdk.Confirm {
	if r == nil || isURL(r.URL, "https") {
		return r
	}
	c.note("the URL to confirm a subscription dropped: not an absolute https URL")
	return nil
}

func isURL(s string, schemes ...string) bool {
	if len(s) > maxURL || !isStorable(s) || hasSpace(s) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && slices.Contains(schemes, u.Scheme)
}

func hasSpace(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			return strings.ContainsFunc(s[i:], unicode.IsSpace)
		case c == ' ' || '\t' <= c && c <= '\r':
			return true
		}
	}
	return false
}

// time drops what no vendor can mean: seconds that were read as milliseconds,
// or the year 1.
func (c *checker) time(what string, t time.Time) time.Time {
	if t.IsZero() || !t.Before(oldest) && t.Before(c.now.Add(maxAhead)) {
		return t
	}
	c.note("%s dropped: it would be in the year %d", what, t.Year())
	return time.Time{}
}

// storable mends invalid UTF-8, and control characters other than those of
// lines: no store takes NUL, and no terminal should see the others.
func storable(s string) string {
	if isStorable(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if isBad(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

func isStorable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' { // most have neither
			switch {
			case c >= utf8.RuneSelf:
				return utf8.ValidString(s[i:]) && !strings.ContainsFunc(s[i:], isBad)
			case isBad(rune(c)):
				return false
			}
		}
	}
	return true
}

func isBad(r rune) bool {
	return (r < ' ' || r >= 0x7f && r < 0xa0) && r != '\n' && r != '\t' && r != '\r' // unicode.IsControl, and quicker
}

// breaksLine reports whether a terminal or a browser would begin a new line, or
// a tab, within the text.
func breaksLine(s string) bool {
	for i := range len(s) {
		switch s[i] {
		case '\n', '\r', '\t':
			return true
		case "\u2028"[0]:
			if strings.HasPrefix(s[i:], "\u2028") || strings.HasPrefix(s[i:], "\u2029") {
				return true
			}
		}
	}
	return false
}

// oneLine replaces what breaks a line by spaces.
func oneLine(s string) string {
	if !breaksLine(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case '\n', '\r', '\t', '\u2028', '\u2029':
			return ' '
		}
		return r
	}, s)
}

// cut shortens valid UTF-8 without splitting a character.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
