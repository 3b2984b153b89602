package scaffold

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"bellcrank.example/sdk"
)

// Member is a member of the sample that the plugin reads.
type Member struct {
	Path    []string // names, from the body or from the element of its list
	Element bool     // it is in an element of the body's list
	Label   bool     // it is one of the labels, which are read as a whole
	Role    string   // what it becomes, such as "title"; its own name for metadata
	Sample  string   // its value in the sample, as text

	value any
}

// Name is the path with dots, as people write it.
func (m *Member) Name() string { return strings.Join(m.Path, ".") }

// readable are the names that every language's templates can write down.
var readable = regexp.MustCompile(`^[A-Za-z0-9_@$][A-Za-z0-9_@$. -]*$`)

// maxDepth bounds how deep members are looked for.
const maxDepth = 4

// membersOf lists the members of an object and of those in it, each by name. A
// list is one member. Names that differ only in letter case are left out, and of
// those that differ only in signs all but the first: readers mix them up.
func membersOf(object map[string]any, element bool, at ...string) []*Member {
	var all []*Member
	named := map[string]bool{"": true} // a name that is nothing but signs can't be read either
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !readable.MatchString(name) || named[plain(name)] || folded(object, name) > 1 {
			continue
		}
		named[plain(name)] = true
		path := append(slices.Clone(at), name)
		all = append(all, &Member{Path: path, Element: element, Sample: textOf(object[name]), value: object[name]})
		if inner, ok := object[name].(map[string]any); ok && len(path) < maxDepth {
			all = append(all, membersOf(inner, element, path...)...)
		}
	}
	return all
}

// folded counts the members whose names are alike but for letter case.
func folded(object map[string]any, name string) int {
	n := 0
	for other := range object {
		if strings.EqualFold(other, name) {
			n++
		}
	}
	return n
}

// textOf is what sdk.Text makes of a decoded value.
func textOf(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	var text sdk.Text
	_ = text.UnmarshalJSON(raw) // it never fails
	return string(text)
}

// notInName is what names differ in from vendor to vendor.
var notInName = regexp.MustCompile(`[^a-z0-9]+`)

func plain(name string) string { return notInName.ReplaceAllString(strings.ToLower(name), "") }

// names are what a member may be known by, surest first: "alert.id" is an
// alertid and an id.
func (m *Member) names() []string {
	last := plain(m.Path[len(m.Path)-1])
	if len(m.Path) == 1 {
		return []string{last}
	}
	return []string{plain(m.Path[len(m.Path)-2]) + last, last}
}

// lastWord is what a name is one of: "event_severity" is a severity. What was
// before is nothing that happens now.
func (m *Member) lastWord() string {
	words := camels(m.Path[len(m.Path)-1])
	if len(words) == 0 || slices.Contains([]string{"previous", "prev", "old", "last"}, strings.ToLower(words[0])) {
		return ""
	}
	return strings.ToLower(words[len(words)-1])
}

// rank is where in a list of names, best first, the member stands; -1 if
// nowhere. A last word alone comes after every whole name.
func (m *Member) rank(r role) int {
	best := -1
	for _, name := range m.names() {
		if i := slices.Index(r.names, name); i >= 0 && (best < 0 || i < best) {
			best = i
		}
	}
	if best >= 0 || r.whole {
		return best
	}
	if i := slices.Index(r.names, m.lastWord()); i >= 0 {
		return len(r.names) + i
	}
	return -1
}

// camels splits a name at signs and before capitals.
func camels(name string) []string {
	var words []string
	word := ""
	for i, c := range name {
		sign := !unicode.IsLetter(c) && !unicode.IsDigit(c)
		if sign || unicode.IsUpper(c) && i > 0 && !unicode.IsUpper(rune(name[i-1])) {
			words, word = append(words, word), ""
		}
		if !sign {
			word += string(c)
		}
	}
	return slices.DeleteFunc(append(words, word), func(w string) bool { return w == "" })
}

// scalar reports whether the member is a text, number or boolean.
func (m *Member) scalar() bool {
	switch m.value.(type) {
	case map[string]any, []any, nil:
		return false
	}
	return true
}

func (m *Member) isBool() bool {
	_, ok := m.value.(bool)
	return ok
}

// text is the member as text in a body and the element of its list.
func (m *Member) text(body, element any) string {
	if m == nil {
		return ""
	}
	path := m.Path
	if m.Label {
		path = path[:len(path)-1]
	}
	value := at(body, path)
	if m.Element {
		value = at(element, path)
	}
	if m.Label {
		return labelsOf(value)[m.Path[len(path)]]
	}
	return textOf(value)
}

// at is the value at a path; nil if there is none.
func at(value any, path []string) any {
	for _, name := range path {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}
