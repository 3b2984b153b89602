package transport

import (
	"net/http"
	"slices"
	"strings"
)

// The bounds of the headers that are kept with an attempt.
const (
	maxShown      = 24  // headers
	maxShownValue = 256 // bytes of a value
)

// harmless are headers whose values are kept. Of all others, which may carry
// secrets, only the name is.
func harmless() []string {
	return []string{
		"Content-Type", "Content-Length", "User-Agent", "Date", "Server", "Retry-After", "Allow", "Via", "Age",
		"Webhook-Id", "Webhook-Timestamp", "X-Request-Id", "Request-Id", "Traceparent", "Cf-Ray", "X-Amzn-Requestid",
		"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "X-Slack-Req-Id", "Strict-Transport-Security",
	}
}

// shown returns a header as people may see it.
func shown(h http.Header) http.Header {
	if len(h) == 0 {
		return nil
	}
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	kept := http.Header{}
	for _, name := range names[:min(len(names), maxShown)] {
		value := "(hidden)"
		if slices.Contains(harmless(), http.CanonicalHeaderKey(name)) {
			value = strings.ToValidUTF8(h.Get(name), "\uFFFD")
			value = value[:min(len(value), maxShownValue)]
		}
		kept[strings.ToValidUTF8(name[:min(len(name), maxShownValue)], "\uFFFD")] = []string{strings.ToValidUTF8(value, "\uFFFD")}
	}
	return kept
}
