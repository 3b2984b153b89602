package sdk

import (
	"fmt"
	"regexp"
	"strings"
)

// placeholder is a value that a template engine should have replaced.
var placeholder = regexp.MustCompile(`^(\{\{[^{}]*\}\}|\$[A-Z][A-Z0-9_]*(\[[^\]]*\])?|%[a-z_]+%|<no value>)$`)

// Unrendered reports whether the whole of a value is a placeholder that the
// sender should have filled in. Braces within a text are none: vendors' own
// requests have them.
func Unrendered(value string) bool { return placeholder.MatchString(strings.TrimSpace(value)) }

// unrenderedPrefix begins the notes about placeholders.
const unrenderedPrefix = "UNRENDERED_TEMPLATE: "

// UnrenderedNote is the note about a member of a request whose placeholder was
// not filled in: "UNRENDERED_TEMPLATE: title: ...".
func UnrenderedNote(member, value string) string {
	return fmt.Sprintf(unrenderedPrefix+"%s: %.60s arrived as it stands; the sender knows no such variable", member, value)
}

// UnrenderedMember returns the member that a note made by UnrenderedNote is
// about.
func UnrenderedMember(note string) (member string, ok bool) {
	rest, ok := strings.CutPrefix(note, unrenderedPrefix)
	if !ok {
		return "", false
	}
	member, _, _ = strings.Cut(rest, ":")
	return member, true
}
