// Package redact takes out of a recorded request what must not leave the
// house, so that it can become a test case: secrets, people, hosts, addresses.
//
// Equal values stay equal and different ones different, within a request and
// between requests that are redacted with the same key: a problem's beginning
// and its end still name the same problem. No rule knows everything; a person
// reads what was replaced, and what was left, before the case is kept.
package redact

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Config says what to look for besides the rules.
type Config struct {
	// Key makes the replacements: with another key the same value becomes
	// another one, so that nobody finds out values by trying.
	Key []byte
	// Words are texts that only you know to be names: of your company, of
	// customers.
	Words []string
	// Keep lists hosts that stay, such as the vendor's; those below them stay
	// as well.
	Keep []string
}

// Redactor redacts requests. It is not safe for concurrent use.
type Redactor struct {
	cfg   Config
	words []*regexp.Regexp

	by    map[string]*Replacement // kind and value -> what it became
	taken map[string]bool         // what stands for something already
	order []*Replacement
	kept  []string
}

// Replacement is a value that was replaced everywhere it stood.
type Replacement struct {
	Rule  string // why: "secret by its name", "email"
	Was   string
	Is    string
	Where []string // paths in the request, such as "body.user.email"
}

// New returns a Redactor.
func New(cfg Config) *Redactor {
	r := &Redactor{cfg: cfg, by: map[string]*Replacement{}, taken: map[string]bool{}}
	for _, word := range cfg.Words {
		if word != "" {
			r.words = append(r.words, wholeWord(word))
		}
	}
	return r
}

// wholeWord finds a text where it isn't part of a longer word.
func wholeWord(s string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)(^|[^\pL\pN])(` + regexp.QuoteMeta(s) + `)($|[^\pL\pN])`)
}

// Replacements lists what was replaced, in the order in which it was met.
func (r *Redactor) Replacements() []Replacement {
	list := make([]Replacement, len(r.order))
	for i, replacement := range r.order {
		list[i] = *replacement
	}
	return list
}

// Kept lists the free texts that were left, for a person to read.
func (r *Redactor) Kept() []string { return r.kept }

// kind is what a value is, and so what it becomes.
type kind string

// The kinds.
const (
	secret  kind = "secret"
	person  kind = "person"
	email   kind = "email"
	phone   kind = "phone"
	host    kind = "host"
	address kind = "address"
	account kind = "account"
	word    kind = "word"
)

// replace returns what stands for a value of a kind.
func (r *Redactor) replace(k kind, rule, where, value string) string {
	id := string(k) + "\x00" + strings.ToLower(value)
	known := r.by[id]
	if known == nil {
		known = &Replacement{Rule: rule, Was: value, Is: r.invent(k, value)}
		r.by[id] = known
		r.order = append(r.order, known)
	}
	if !slices.Contains(known.Where, where) {
		known.Where = append(known.Where, where)
	}
	return known.Is
}

// invent makes a value of a kind that stands for nothing else yet.
func (r *Redactor) invent(k kind, value string) string {
	mac := hmac.New(sha256.New, r.cfg.Key)
	mac.Write([]byte(string(k) + "\x00" + strings.ToLower(value)))
	sum := mac.Sum(nil)
	n := int(sum[0])<<16 | int(sum[1])<<8 | int(sum[2])
	for try := range addresses {
		if is := k.example(n, try, value); !r.taken[is] {
			r.taken[is] = true
			return is
		}
	}
	return k.example(n, 0, value) // more addresses than there are examples
}

// addresses is how many addresses are set aside for measurements: 198.18.0.0/15.
const addresses = 1 << 17

// example makes a value of a kind out of what is set aside for examples, where
// there is such a thing: the n-th, or one further with each try.
func (k kind) example(n, try int, value string) string {
	switch k {
	case secret:
		return fmt.Sprintf("redacted-%06x", n+try)
	case person:
		return fmt.Sprintf("person-%04x", n&0xffff+try)
	case email:
		return fmt.Sprintf("person-%04x@example.com", n&0xffff+try)
	case phone:
		return fmt.Sprintf("+1-555-01%02d", n%100+try)
	case address:
		if strings.Contains(value, ":") {
			return fmt.Sprintf("2001:db8::%x", 1+n&0xffff+try)
		}
		i := (n + try) % addresses
		return fmt.Sprintf("198.%d.%d.%d", 18+i>>16, i>>8&0xff, i&0xff)
	case account:
		return fmt.Sprintf("%012d", n+try)
	case host:
		if strings.Contains(value, ".") {
			return fmt.Sprintf("host-%04x.example", n&0xffff+try)
		}
		return fmt.Sprintf("host-%04x", n&0xffff+try)
	}
	return fmt.Sprintf("word-%04x", n&0xffff+try)
}

// again replaces, in a text, values that were replaced elsewhere because of
// their member's name: the longest first.
func (r *Redactor) again(where, text string) string {
	named := slices.DeleteFunc(slices.Clone(r.order), func(p *Replacement) bool { return len(p.Was) < 4 || !strings.Contains(p.Rule, "name") })
	slices.SortStableFunc(named, func(a, b *Replacement) int { return cmp.Compare(len(b.Was), len(a.Was)) })
	for _, p := range named {
		if !strings.Contains(strings.ToLower(text), strings.ToLower(p.Was)) {
			continue
		}
		if replaced := replaceWord(wholeWord(p.Was), text, func(string) string { return p.Is }); replaced != text {
			text = replaced
			if !slices.Contains(p.Where, where) {
				p.Where = append(p.Where, where)
			}
		}
	}
	return text
}

// replaceWord replaces every match of a whole word, those that share a
// neighbour too.
func replaceWord(re *regexp.Regexp, text string, with func(string) string) string {
	var out strings.Builder
	for {
		found := re.FindStringSubmatchIndex(text)
		if found == nil {
			break
		}
		out.WriteString(text[:found[4]])
		out.WriteString(with(text[found[4]:found[5]]))
		text = text[found[5]:]
	}
	out.WriteString(text)
	return out.String()
}
