package redact

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// secretNames are members whose value is a secret whatever it looks like.
// Those that end in one are, too.
var secretNames = []string{
	"password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "privatekey", "routingkey", "servicekey",
	"integrationkey", "licensekey", "authorization", "credential", "cookie", "session", "sessionid",
	"signature", "dsn", "connectionstring", "webhookurl",
}

// personNames are members whose value names somebody, also as the parent of a
// name: "assignee.name".
var personNames = []string{
	"user", "username", "login", "firstname", "lastname", "fullname", "assignee", "assignedto", "author", "owner", "actor",
	"creator", "createdby", "updatedby", "acknowledgedby", "resolvedby", "closedby", "reporter", "responder", "person",
	"contact", "recipient", "pusher", "committer", "member",
}

// phoneNames are members that hold a telephone number.
var phoneNames = []string{"phone", "phonenumber", "mobile", "telephone"}

// hostNames are members whose value is a host, with or without a port.
var hostNames = []string{"host", "hostname", "instance", "node", "nodename", "server", "servername", "fqdn", "machine", "computer", "vm", "vmname"}

// inPerson are the members of a person that name it.
var inPerson = []string{"name", "displayname", "first", "last", "firstname", "lastname", "username", "login", "fullname", "slug"}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

func plain(name string) string { return notInName.ReplaceAllString(strings.ToLower(name), "") }

// index is where an element stands in its list, whose name counts for it.
var index = regexp.MustCompile(`(\[\d+\])+$`)

// singular is the plain name of a member, of a list's element if it is one.
func singular(name string) string {
	return strings.TrimSuffix(plain(index.ReplaceAllString(name, "")), "s")
}

func endsIn(name string, names []string) bool {
	for _, n := range names {
		if strings.HasSuffix(name, n) {
			return true
		}
	}
	return false
}

// named says what a member's name makes of its value.
func named(path []string) (k kind, rule string) {
	if len(path) == 0 {
		return "", ""
	}
	name, parent := singular(path[len(path)-1]), ""
	if len(path) > 1 {
		parent = singular(path[len(path)-2])
	}
	switch {
	case endsIn(name, secretNames):
		return secret, "secret by its name"
	case slices.Contains(phoneNames, name):
		return phone, "telephone by its name"
	case slices.Contains(personNames, name), slices.Contains(personNames, parent) && slices.Contains(inPerson, name):
		return person, "person by its name"
	case slices.Contains(hostNames, name), slices.Contains(hostNames, parent) && name == "name":
		return host, "host by its name"
	}
	return "", ""
}

// pattern finds values of a kind in any text. Its second group, if it has one,
// is what is replaced.
type pattern struct {
	kind kind
	rule string
	find *regexp.Regexp
	only func(r *Redactor, value string) bool // nil: every match
}

// patterns go over a text one after the other: secrets first, since there may
// be an address or a host in one.
var patterns = []pattern{
	{secret, "private key", regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`), nil},
	{secret, "JSON web token", regexp.MustCompile(`\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*`), nil},
	{secret, "token of a known form", regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|` +
		`\bxox[abeoprs]-[\w-]{10,}|\b[rsp]k_(?:live|test)_\w{16,}|\bbck_\w{20,}|\bwhsec_[\w+/=]{16,}|\bAIza[\w-]{30,}|\bSG\.[\w-]{16,}\.[\w-]{16,}`), nil},
	{secret, "hook URL", regexp.MustCompile(`https://hooks\.slack\.com/[^\s"'<>]+|https://[\w.-]*discord(?:app)?\.com/api/webhooks/[^\s"'<>]+`), nil},
	{secret, "user in a URL", regexp.MustCompile(`([a-z][a-z0-9+.-]*://)([^/\s"'<>@?#]+)@`), nil},
	{secret, "secret in a query", regexp.MustCompile(`(?i)([?&;](?:[\w-]*(?:token|secret|password|passwd|signature|apikey|api_key|access_key)|key|sig|auth)=)([^&;\s"'<>#]+)`), nil},
	{secret, "bearer token", regexp.MustCompile(`(?i)\b(bearer|basic) ([\w+/.=~-]{8,})`), nil},
	{secret, "looks like a key", regexp.MustCompile(`[\w+/-]{32,}={0,2}`), looksDrawn},
	{email, "email", regexp.MustCompile(`[\w.+%-]+@[\w-]+(?:\.[\w-]+)+`), func(_ *Redactor, s string) bool { return !reserved(s[strings.LastIndex(s, "@")+1:]) }},
	{account, "cloud account", regexp.MustCompile(`(arn:aws[\w-]*:[\w-]*:[\w-]*:)(\d{12})\b`), nil},
	{address, "address", regexp.MustCompile(`\b(?:\d{1,3}\.){3}\d{1,3}\b`), isPublicAddress},
	{address, "address", regexp.MustCompile(`(?i)\b(?:[0-9a-f]{1,4}:){2,7}(?::?[0-9a-f]{1,4}){1,6}\b|\b[0-9a-f]{1,4}::(?:[0-9a-f]{1,4}:?)+\b`), isPublicAddress},
	{host, "host in a URL", regexp.MustCompile(`([a-z][a-z0-9+.-]*://)([^/\s"'<>:@?#\[\]]+)`), isForeignHost},
	{host, "host", regexp.MustCompile(`(?i)\b(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:local|internal|corp|lan|intranet|home|private|svc|com|net|org|io|dev|app|cloud|co|ai|de|uk|eu|us|fr|nl|ch|at|se|no|dk|es|it|pl|jp|au|ca|in|br|info|biz|tech|systems|services|shop|online|site)\b`), isForeignHost},
	{phone, "telephone", regexp.MustCompile(`\+\d[\d ()/-]{7,}\d`), nil},
}

// looksDrawn is for letters of both cases and digits, as random keys have
// them. What is hexadecimal identifies things more often than it opens them.
// A name of several words changes between them less often.
func looksDrawn(_ *Redactor, s string) bool {
	changes, before := 0, ' '
	for _, c := range s {
		is := '-'
		switch {
		case unicode.IsUpper(c):
			is = 'A'
		case unicode.IsLower(c):
			is = 'a'
		case unicode.IsDigit(c):
			is = '1'
		}
		if is != before {
			changes++
		}
		before = is
	}
	return changes > len(s)/3 && strings.ContainsFunc(s, unicode.IsUpper) && strings.ContainsFunc(s, unicode.IsLower) &&
		strings.ContainsFunc(s, unicode.IsDigit)
}

// isPublicAddress leaves alone what is no address, or nobody's.
func isPublicAddress(_ *Redactor, s string) bool {
	a, err := netip.ParseAddr(s)
	if err != nil || a.IsLoopback() || a.IsUnspecified() {
		return false
	}
	for _, example := range []string{"198.18.0.0/15", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"} {
		if netip.MustParsePrefix(example).Contains(a) {
			return false
		}
	}
	return true
}

// isForeignHost leaves alone hosts for examples, those to keep, and addresses,
// which have a rule of their own.
func isForeignHost(r *Redactor, s string) bool {
	if _, err := netip.ParseAddr(s); err == nil || reserved(s) || r.stands(s) {
		return false
	}
	for _, keep := range r.cfg.Keep {
		if below(s, keep) {
			return false
		}
	}
	return true
}

// stands reports whether a value is a replacement itself.
func (r *Redactor) stands(s string) bool { return r.taken[s] }

// reserved reports whether a host is set aside for examples, or is this
// machine.
func reserved(h string) bool {
	for _, domain := range []string{"example", "test", "invalid", "localhost", "example.com", "example.net", "example.org"} {
		if below(h, domain) {
			return true
		}
	}
	return false
}

func below(h, domain string) bool {
	h, domain = strings.ToLower(h), strings.ToLower(domain)
	return h == domain || strings.HasSuffix(h, "."+domain)
}

// text applies the rules to a text: first that of its name, then the patterns.
func (r *Redactor) text(path []string, value string) string {
	if value == "" || r.stands(value) {
		return value
	}
	where := strings.Join(path, ".")
	if k, rule := named(path); k != "" {
		return r.byName(k, rule, where, value)
	}
	return r.patterns(where, value)
}

// patterns applies the rules that don't ask for a name.
func (r *Redactor) patterns(where, value string) string {
	out := value
	for _, p := range patterns {
		out = r.match(p, where, out)
	}
	for _, re := range r.words {
		out = replaceWord(re, out, func(s string) string { return r.replace(word, "word that you named", where, s) })
	}
	return out
}

// nobody are values of a person or a host that name none.
var nobody = []string{"unknown", "none", "null", "system", "localhost", "true", "false", "-"}

// byName replaces the whole value of a member. Of a host its port stays, and of
// a URL all but its host.
func (r *Redactor) byName(k kind, rule, where, value string) string {
	if k != host && k != person {
		return r.replace(k, rule, where, value)
	}
	if slices.Contains(nobody, strings.ToLower(value)) {
		return value
	}
	if k == person {
		return r.replace(k, rule, where, value)
	}
	name, port := value, ""
	if h, p, err := net.SplitHostPort(value); err == nil {
		name, port = h, p
	}
	_, err := netip.ParseAddr(name)
	switch {
	case err == nil, strings.ContainsAny(name, "/ @"):
		return r.patterns(where, value)
	case isForeignHost(r, name):
		name = r.replace(host, rule, where, name)
	}
	if port != "" {
		return net.JoinHostPort(name, port)
	}
	return name
}

func (r *Redactor) match(p pattern, where, text string) string {
	var out strings.Builder
	end := 0
	for _, found := range p.find.FindAllStringSubmatchIndex(text, -1) {
		from, to := found[0], found[1]
		if len(found) > 4 {
			from, to = found[4], found[5]
		}
		value := text[from:to]
		if r.stands(value) || p.only != nil && !p.only(r, value) {
			continue
		}
		out.WriteString(text[end:from])
		out.WriteString(r.replace(p.kind, p.rule, where, value))
		end = to
	}
	out.WriteString(text[end:])
	return out.String()
}
