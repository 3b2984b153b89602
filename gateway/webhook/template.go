package webhook

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// placeholders are what an answer in a vendor's words may speak of.
type placeholders struct {
	path    map[string]string // what the entrance's path names
	body    []byte            // the request's, decoded
	receipt string
	took    time.Duration
}

// value returns what a placeholder stands for: the first of its alternatives
// that isn't empty.
func (p placeholders) value(name string) string {
	for alternative := range strings.SplitSeq(name, "|") {
		if value := p.one(strings.TrimSpace(alternative)); value != "" {
			return value
		}
	}
	return ""
}

func (p placeholders) one(name string) string {
	where, member, _ := strings.Cut(name, ".")
	switch where {
	case "receipt":
		return p.receipt
	case "took":
		return strconv.FormatFloat(p.took.Seconds(), 'f', 3, 64)
	case "path":
		return p.path[member]
	case "body":
		return memberOf(p.body, member)
	}
	return ""
}

// fill puts values where a template has {{name}}, escaped as within a JSON
// string.
func fill(template []byte, value func(name string) string) []byte {
	var out bytes.Buffer
	for {
		before, rest, open := bytes.Cut(template, []byte("{{"))
		name, after, closed := bytes.Cut(rest, []byte("}}"))
		if !open || !closed {
			out.Write(template)
			return out.Bytes()
		}
		out.Write(before)
		quoted, _ := json.Marshal(value(string(name))) // text can be encoded
		out.Write(quoted[1 : len(quoted)-1])
		template = after
	}
}
