package scaffold

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bellcrank.example/sdk"
)

// Draft says which members of a body become which parts of an event. A nil
// member means that the sample has none.
type Draft struct {
	// List is the member of the body that holds a list of problems: each of its
	// elements is an event. Empty if the body itself is one.
	List string

	Title       *Member // never nil
	Description *Member
	Severity    *Member
	Service     *Member
	Source      *Member // the problem's page
	OccurredAt  *Member
	EndedAt     *Member
	Labels      *Member
	Rest        []*Member // for the metadata

	// Key is the member that names the problem. Without one, the members of
	// KeyParts name it together.
	Key      *Member
	KeyParts []*Member

	// State tells the end of a problem from its beginning, as Ends says.
	State *Member
	Ends  Ends
	// EndWord is the word for the end with Ends == EndsByGuess.
	EndWord string
	// StateMadeUp means that the sample has nothing of the kind: the plugin
	// reads a member that we have thought up.
	StateMadeUp bool

	body any // the sample
}

// Ends is how a body says that a problem is over.
type Ends string

// The ways.
const (
	EndsByWord  Ends = "word"  // State is a word that sdk.ActionOf knows
	EndsByGuess Ends = "guess" // State is a word that nobody knows; EndWord is our guess
	EndsIfTrue  Ends = "true"  // State is a boolean such as "resolved"
	EndsIfFalse Ends = "false" // State is a boolean such as "firing"
	EndsByTime  Ends = "time"  // EndedAt has a time; State is EndedAt
)

// maxRest bounds how many members are drafted into the metadata.
const maxRest = 16

// NewDraft reads a sample. It must be JSON, and an object or a list of them.
func NewDraft(sample []byte) (*Draft, error) {
	body, err := parse(sample)
	if err != nil {
		return nil, err
	}
	d := &Draft{body: body}
	object, ok := d.object()
	if !ok {
		return nil, errors.New("the sample is neither a JSON object nor a list of such: an adapter for it is written by hand")
	}
	members := membersOf(object, false)
	if d.List = listOf(object); d.List != "" {
		members = slices.DeleteFunc(members, func(m *Member) bool { return m.Path[0] == d.List })
		element, _ := d.element().(map[string]any)
		members = append(members, membersOf(element, true)...)
	}
	if err := d.assign(members); err != nil {
		return nil, err
	}
	return d, nil
}

func parse(sample []byte) (any, error) {
	var body any
	decoder := json.NewDecoder(bytes.NewReader(sample))
	decoder.UseNumber()
	if err := decoder.Decode(&body); err != nil {
		if _, failure := sdk.Decode[any](sample); failure != nil {
			err = failure
		}
		return nil, fmt.Errorf("the sample is no JSON: %w", err)
	}
	if decoder.More() {
		return nil, errors.New("the sample is no JSON: there is more after the first value")
	}
	return body, nil
}

// object is the sample, or its first element if it is a list.
func (d *Draft) object() (map[string]any, bool) {
	value := d.body
	if list, ok := value.([]any); ok && len(list) > 0 {
		value = list[0]
	}
	object, ok := value.(map[string]any)
	return object, ok && len(object) > 0
}

// element is the first element of the list.
func (d *Draft) element() any {
	object, _ := d.object()
	if list, ok := object[d.List].([]any); ok && len(list) > 0 {
		return list[0]
	}
	return nil
}

// listOf returns the member that holds a list of problems: objects that say
// what they are about. Where the body itself has no title, any list of objects
// with a text will do.
func listOf(object map[string]any) string {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		list, ok := object[name].([]any)
		if !ok || len(list) == 0 || !readable.MatchString(name) {
			continue
		}
		element, ok := list[0].(map[string]any)
		if !ok {
			continue
		}
		inside := membersOf(element, true)
		has := func(r role) bool { return r.pick(inside, map[*Member]bool{}) != nil }
		if (has(title) || has(labels)) && (has(stateWord) || has(key)) {
			return name
		}
		if outside := membersOf(object, false); title.pick(outside, map[*Member]bool{}) == nil && slices.ContainsFunc(inside, isText) {
			return name
		}
	}
	return ""
}

// assign gives each part of an event its member. What is surer goes first.
func (d *Draft) assign(members []*Member) error {
	taken := map[*Member]bool{}
	d.Labels = labels.pick(members, taken)
	if d.Labels != nil {
		for _, m := range members {
			m.Label = m != d.Labels && within(m, d.Labels)
		}
	}
	d.assignState(members, taken)
	d.Severity = severity.pick(members, taken)
	if d.Severity == nil && sdk.SeverityOf(d.State.Sample) != "" {
		d.Severity = d.State
	}
	if d.EndedAt == nil {
		d.EndedAt = ended.pick(members, taken)
	}
	d.OccurredAt = occurred.pick(members, taken)
	if d.Source = source.pick(members, taken); d.Source == nil {
		d.Source = onlyURL(members, taken)
	}
	if d.Key = key.pick(members, taken); d.Key == nil {
		d.Key = anyID.pick(members, taken)
	}
	if d.Title = d.titleOf(members, taken); d.Title == nil {
		return errors.New("the sample has no text that could be a title: an adapter for it is written by hand")
	}
	d.Description = description.pick(members, taken)
	d.Service = service.pick(members, taken)
	if d.Key == nil {
		d.assignKeyParts(members)
	}
	if d.StateMadeUp {
		d.State.Element = d.List != ""
	}
	d.Rest = rest(members, taken)
	return nil
}

// onlyURL returns the member that holds a URL if it is the only one.
func onlyURL(members []*Member, taken map[*Member]bool) *Member {
	urls := slices.DeleteFunc(slices.Clone(members), func(m *Member) bool { return taken[m] || m.Label || !isURL(m) })
	if len(urls) != 1 {
		return nil
	}
	taken[urls[0]], urls[0].Role = true, source.name
	return urls[0]
}

// within reports whether a member is inside another one.
func within(m, outer *Member) bool {
	return m.Element == outer.Element && len(m.Path) > len(outer.Path) && slices.Equal(m.Path[:len(outer.Path)], outer.Path)
}

func (d *Draft) assignState(members []*Member, taken map[*Member]bool) {
	if d.State, d.Ends = stateWord.pick(members, taken), EndsByWord; d.State != nil {
		return
	}
	if d.State, d.Ends = over.pick(members, taken), EndsIfTrue; d.State != nil {
		return
	}
	if d.State, d.Ends = lasting.pick(members, taken), EndsIfFalse; d.State != nil {
		return
	}
	if d.State, d.Ends = ended.pick(members, taken), EndsByTime; d.State != nil {
		d.EndedAt = d.State
		return
	}
	if d.State, d.Ends = stateName.pick(members, taken), EndsByWord; d.State != nil {
		d.guess()
		return
	}
	d.Ends, d.StateMadeUp = EndsByWord, true
	d.State = &Member{Path: []string{unused(members, "status")}, Role: stateWord.name}
}

// guess looks at a state whose word isn't known. That of "incident.opened" is
// in its last part; for one such as "critical" the end will be "ok".
func (d *Draft) guess() {
	word := d.State.Sample
	if sdk.ActionOf(opposite(word)) != "" {
		return
	}
	d.Ends, d.EndWord = EndsByGuess, opposite(word)
	if sdk.ActionOf(lastWord(word)) == sdk.Resolve {
		d.EndWord = word
	}
}

// unused is a name that no member has.
func unused(members []*Member, name string) string {
	for slices.ContainsFunc(members, func(m *Member) bool { return strings.EqualFold(m.Path[0], name) }) {
		name += "_"
	}
	return name
}

// titleOf takes the longest text where no name helps.
func (d *Draft) titleOf(members []*Member, taken map[*Member]bool) *Member {
	if m := title.pick(members, taken); m != nil {
		return m
	}
	var best *Member
	for _, m := range members {
		if !taken[m] && isText(m) && (best == nil || len(m.Sample) > len(best.Sample)) {
			best = m
		}
	}
	if best != nil {
		taken[best], best.Role = true, title.name
	}
	return best
}

// assignKeyParts takes what is wrong and where it is; a member may be more
// than a part of a key. Without such the title has to do.
func (d *Draft) assignKeyParts(members []*Member) {
	for _, r := range []role{named, located} {
		copies := make([]*Member, len(members))
		for i, m := range members {
			c := *m
			copies[i] = &c
		}
		if m := r.pick(copies, map[*Member]bool{}); m != nil && !slices.ContainsFunc(d.KeyParts, m.same) {
			d.KeyParts = append(d.KeyParts, m)
		}
	}
	if len(d.KeyParts) == 0 {
		d.KeyParts = []*Member{d.Title}
	}
}

func (m *Member) same(other *Member) bool {
	return m.Element == other.Element && slices.Equal(m.Path, other.Path)
}

// rest takes what is left and has a value.
func rest(members []*Member, taken map[*Member]bool) []*Member {
	var left []*Member
	for _, m := range members {
		if taken[m] || m.Label || !m.scalar() || m.Sample == "" || len(left) == maxRest {
			continue
		}
		if m.Role = fact(m.Path[len(m.Path)-1:]); slices.ContainsFunc(left, m.sameRole) {
			m.Role = fact(m.Path)
		}
		if !slices.ContainsFunc(left, m.sameRole) {
			left = append(left, m)
		}
	}
	return left
}

// fact is what a member is called in the metadata.
func fact(path []string) string {
	var words []string
	for _, name := range path {
		words = append(words, camels(name)...)
	}
	return strings.ToLower(strings.Join(words, "_"))
}

func (m *Member) sameRole(other *Member) bool { return m.Role == other.Role }

// Members lists every member that the plugin reads, once.
func (d *Draft) Members() []*Member {
	var all []*Member
	for _, m := range slices.Concat([]*Member{
		d.Title, d.State, d.Key, d.Severity, d.Service, d.Description, d.Source, d.OccurredAt, d.EndedAt, d.Labels,
	}, d.KeyParts, d.Rest) {
		if m != nil && !slices.ContainsFunc(all, m.same) {
			all = append(all, m)
		}
	}
	return all
}

// Row tells a person what becomes of a member of the sample.
type Row struct {
	As     string `json:"as"`     // such as "title", or "metadata.region"
	Member string `json:"member"` // such as "alerts[].labels"
	Value  string `json:"value"`  // in the sample
}

// Rows tells of every member that the plugin reads.
func (d *Draft) Rows() []Row {
	var rows []Row
	for _, m := range d.Members() {
		row := Row{As: m.Role, Member: m.Name(), Value: m.Sample}
		if m.Element {
			row.Member = d.List + "[]." + row.Member
		}
		if m == d.State && d.StateMadeUp {
			row.Value = "(not there: the sample tells no end)"
		}
		if m == d.Labels {
			raw, _ := json.Marshal(m.value) // it came out of a decoder
			row.Value = string(raw)
		}
		if slices.Contains(d.Rest, m) {
			row.As = "metadata." + m.Role
		}
		rows = append(rows, row)
	}
	if d.Key == nil {
		for _, m := range d.KeyParts {
			rows = append(rows, Row{As: "part of the key", Member: m.Name(), Value: m.Sample})
		}
	}
	return rows
}
