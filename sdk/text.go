package sdk

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// Text is a member that a vendor writes as a string here and as a number or a
// boolean there. It takes all three, numbers as written; null, lists and
// objects are empty. It never fails, so that one odd member doesn't cost the
// rest of the body.
type Text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *Text) UnmarshalJSON(raw []byte) error {
	*t = ""
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil
	}
	switch raw[0] {
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err == nil {
			*t = Text(s)
		}
	case '{', '[', 'n':
	default:
		*t = Text(raw)
	}
	return nil
}

// String returns the text.
func (t Text) String() string { return string(t) }

// Texts is a list of texts, however a vendor writes it: a JSON list, or one
// text with commas. What is empty is left out.
type Texts []string

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (t *Texts) UnmarshalJSON(raw []byte) error {
	*t = nil
	var list []Text
	if json.Unmarshal(raw, &list) != nil {
		var one Text
		_ = one.UnmarshalJSON(raw) // it never fails
		for part := range strings.SplitSeq(string(one), ",") {
			list = append(list, Text(part))
		}
	}
	for _, part := range list {
		if s := Line(string(part)); s != "" {
			*t = append(*t, s)
		}
	}
	return nil
}

// Line makes one line of valid UTF-8 of a text, without control characters:
// what a title, a name or a key should be.
func Line(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), func(c rune) bool {
		return unicode.IsSpace(c) || unicode.IsControl(c)
	}), " ")
}

// blankLines are two empty lines or more.
var blankLines = regexp.MustCompile(`\n(?:[ \t]*\n){2,}`)

// Paragraphs cleans a text of several lines: valid UTF-8, line feeds alone, no
// other control characters but tabs, never two empty lines in a row.
func Paragraphs(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) && c != '\n' && c != '\t' {
			return -1
		}
		return c
	}, s)
	return strings.TrimSpace(blankLines.ReplaceAllString(s, "\n\n"))
}

// AbsoluteURL returns s if it is an absolute http or https URL, else "". One
// with a user is none: it reads like another host than it leads to, and may
// carry a password.
func AbsoluteURL(s string) string {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.String()
}

// actions are the words that senders use for what has happened, in lower case.
var actions = map[string]Action{
	"firing": Trigger, "trigger": Trigger, "triggered": Trigger, "alerting": Trigger, "alert": Trigger,
	"problem": Trigger, "open": Trigger, "opened": Trigger, "active": Trigger, "activated": Trigger,
	"down": Trigger, "failed": Trigger, "investigating": Trigger,

	"acknowledge": Acknowledge, "acknowledged": Acknowledge, "ack": Acknowledge,

	"resolve": Resolve, "resolved": Resolve, "ok": Resolve, "close": Resolve, "closed": Resolve,
	"recovered": Resolve, "recovery": Resolve, "up": Resolve, "cleared": Resolve, "clear": Resolve,
	"normal": Resolve, "success": Resolve,
}

// ActionOf maps a sender's word for a state to an action, ignoring letter
// case. A word that isn't in the table gives the empty action: let it trigger,
// so that somebody is told.
func ActionOf(word string) Action { return actions[strings.ToLower(strings.TrimSpace(word))] }
