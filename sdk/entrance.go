package sdk

import (
	"net/url"
	"strings"
)

// Entrance is a path besides /webhooks/{routingKey}.
type Entrance struct {
	// Path is such as "/v2/alerts/{identifier}/close": a name in braces stands
	// for any one segment.
	Path    string `json:"path"`
	Method  string `json:"method"`             // such as "POST"
	KeyFrom string `json:"key_from,omitempty"` // "body:routing_key" or "header:Authorization"
	// Reply is the answer to a challenge; the adapter isn't called, and no key
	// is asked for. Its body is a template as Info.Accepted's, in which only
	// path.NAME stands for anything.
	Reply *Reply `json:"reply,omitempty"`
	// Accepted goes above Info.Accepted.
	Accepted *Reply `json:"accepted,omitempty"`
}

// Match reports whether a path, still percent-encoded, is this entrance's, and
// what stands where it has names. A slash at the end doesn't matter.
func (e Entrance) Match(path string) (names map[string]string, ok bool) {
	want := strings.Split(strings.Trim(e.Path, "/"), "/")
	got := strings.Split(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"), "/")
	if len(want) != len(got) {
		return nil, false
	}
	for i, segment := range want {
		if !e.named(segment) {
			if segment != got[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(got[i])
		if err != nil || value == "" {
			return nil, false
		}
		if names == nil {
			names = map[string]string{}
		}
		names[segment[1:len(segment)-1]] = value
	}
	return names, true
}

// named reports whether a segment is a name in braces.
func (Entrance) named(segment string) bool {
	return len(segment) > 2 && segment[0] == '{' && segment[len(segment)-1] == '}'
}
