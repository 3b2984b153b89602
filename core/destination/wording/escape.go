package wording

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escaping makes characters harmless that a vendor gives a meaning to.
type Escaping map[rune]string

// HTML is the escaping of HTML and of what takes a few of its entities.
func HTML() Escaping {
	return Escaping{'&': "&amp;", '<': "&lt;", '>': "&gt;", '"': "&#34;"}
}

// Markdown is the escaping of Markdown in its usual dialects.
func Markdown() Escaping {
	e := Escaping{}
	for _, r := range "\\`*_{}[]()<>#+-!|~" {
		e[r] = "\\" + string(r)
	}
	return e
}

// Escape returns the text, escaped and n characters long at most. Characters
// that only turn or hide what is around them are left out, and nobody is
// called by it.
func (e Escaping) Escape(s string, n int) string {
	var b strings.Builder
	length := 0
	for _, r := range quiet(Cut(clean(Cut(s, 4*n)), n)) {
		part, special := e[r]
		if !special {
			part = string(r)
		}
		if length += utf8.RuneCountInString(part); length > n {
			break
		}
		b.WriteString(part)
	}
	return b.String()
}

func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// calls finds what chats may take for a call to many.
var calls = regexp.MustCompile(`(?i)@(here|channel|everyone|all)\b`)

// quiet breaks up what would call everybody, by a word joiner behind the @.
func quiet(s string) string { return calls.ReplaceAllString(s, "@\u2060$1") }
