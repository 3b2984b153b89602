package webhook

import (
	"bytes"
	"fmt"

	"bellcrank.example/sdk"
)

// maxNumber is how many characters a number may have. Converting a longer one
// takes time that grows with its square.
const maxNumber = 64

// scan reports which structural limit a JSON body breaks, empty if none. It
// builds nothing and judges no syntax: a decoder needs up to 45 times the
// memory of a hostile body, so the limits come before it, and whether the body
// is well-formed is for the adapter to say. Bodies that aren't an object or a
// list aren't looked at.
func scan(body []byte, limits sdk.Limits) string {
	start := bytes.TrimLeft(body, " \t\r\n")
	if len(start) == 0 || start[0] != '{' && start[0] != '[' {
		return ""
	}
	s := scanner{limits: limits}
	for rest := start; len(rest) > 0 && s.broken == ""; {
		rest = s.token(rest)
	}
	return s.broken
}

// scanner counts what a body consists of.
type scanner struct {
	limits  sdk.Limits
	depth   int
	members int
	strings int
	fresh   bool   // the innermost object or list has shown nothing yet
	broken  string // the limit that is broken
}

// token takes one token off the front.
func (s *scanner) token(b []byte) []byte {
	switch b[0] {
	case ' ', '\t', '\r', '\n', ':':
	case ',':
		s.member()
	case '{', '[':
		s.content()
		s.fresh = true
		s.depth++
		s.check(s.depth, s.limits.Depth, "nested more than %d deep")
	case '}', ']':
		s.fresh = false
		s.depth--
	case '"':
		s.content()
		s.strings++
		s.check(s.strings, s.limits.Strings, "more than %d strings")
		return afterString(b[1:])
	default:
		s.content()
		return s.scalar(b)
	}
	return b[1:]
}

// content is called for every value and key: the first one in an object or
// list is a member, the others are counted by their commas.
func (s *scanner) content() {
	if s.fresh {
		s.fresh = false
		s.member()
	}
}

func (s *scanner) member() {
	s.members++
	s.check(s.members, s.limits.Members, "more than %d members")
}

func (s *scanner) check(n, limit int, reason string) {
	if n > limit {
		s.broken = fmt.Sprintf("The body has "+reason, limit)
	}
}

// afterString returns what follows the quote that ends a string.
func afterString(b []byte) []byte {
	for {
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			return nil
		}
		escapes := 0
		for escapes < i && b[i-1-escapes] == '\\' {
			escapes++
		}
		b = b[i+1:]
		if escapes%2 == 0 {
			return b
		}
	}
}

// scalar takes a number, a word, or whatever else stands there.
func (s *scanner) scalar(b []byte) []byte {
	end := bytes.IndexAny(b, ",:]}[{\" \t\r\n")
	if end < 0 {
		end = len(b)
	}
	if end > maxNumber && bytes.IndexByte([]byte("-0123456789"), b[0]) >= 0 {
		s.broken = fmt.Sprintf("The body has a number of more than %d characters", maxNumber)
	}
	return b[end:]
}
