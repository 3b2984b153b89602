package route

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// pattern is text with "*" for any characters and "?" for one. Unlike
// path.Match it knows no separators and no classes: titles and label values
// are full of slashes and brackets.
type pattern struct{ lower string }

func newPattern(s string) pattern { return pattern{lowered(s)} }

func patterns(all []string) []pattern {
	var compiled []pattern
	for _, s := range all {
		compiled = append(compiled, newPattern(s))
	}
	return compiled
}

// lowered changes case one rune at a time, exactly as match does.
func lowered(s string) string { return strings.Map(unicode.ToLower, s) }

// match compares without allocating. On a mismatch it goes back to the last
// star and lets that take one rune more, which takes at most len(p) * len(s)
// steps.
func (p pattern) match(s string) bool {
	at, in := 0, 0
	star, resume := -1, 0
	for in < len(s) {
		want, wide := next(p.lower, at)
		got, size := next(s, in)
		switch {
		case want == '*' && wide > 0:
			star, resume = at+wide, in
			at = star
		case wide > 0 && (want == '?' || want == unicode.ToLower(got)):
			at, in = at+wide, in+size
		case star >= 0:
			_, size = next(s, resume)
			resume += size
			at, in = star, resume
		default:
			return false
		}
	}
	return strings.Trim(p.lower[at:], "*") == ""
}

// next returns the rune at i and its width, zero at the end.
func next(s string, i int) (rune, int) {
	if i >= len(s) {
		return 0, 0
	}
	if b := s[i]; b < utf8.RuneSelf {
		return rune(b), 1
	}
	return utf8.DecodeRuneInString(s[i:])
}
