package core

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The limits of Retry-After: a shorter or longer wait counts as not asked for.
const (
	minRetryAfter     = time.Second
	maxRetryAfter     = time.Hour
	defaultRetryAfter = time.Minute // of a 429 that names none
)

// Classify says whose fault the answer is and, if the destination asks us to
// wait, for how long from now on.
func (a Answer) Classify(now time.Time) (FaultClass, time.Duration) {
	switch s := a.Status; {
	case a.Fault == Throttled:
		return Throttled, a.wait(now)
	case a.Fault != NoFault:
		return a.Fault, 0
	case s >= 200 && s < 300:
		return NoFault, 0
	case s == http.StatusGone:
		return Gone, 0
	case s == http.StatusTooManyRequests:
		return Throttled, a.wait(now)
	case s == http.StatusServiceUnavailable:
		if wait, ok := parseRetryAfter(a.RetryAfter, now); ok {
			return Throttled, wait
		}
		return DestinationFault, 0
	case s >= 400 && s < 500 && !destinationStatus(s):
		return DeliveryFault, 0
	}
	return DestinationFault, 0
}

// wait returns how long a throttled sender waits.
func (a Answer) wait(now time.Time) time.Duration {
	if wait, ok := parseRetryAfter(a.RetryAfter, now); ok {
		return wait
	}
	return defaultRetryAfter
}

// destinationStatus reports whether a 4xx says more about the destination or
// our access to it than about what we sent: every other delivery would get
// the same answer.
func destinationStatus(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusRequestTimeout, http.StatusTooEarly:
		return true
	}
	return false
}

// parseRetryAfter reads both forms of the header, seconds and date.
func parseRetryAfter(header string, now time.Time) (time.Duration, bool) {
	header = strings.TrimSpace(header)
	var wait time.Duration
	if seconds, err := strconv.ParseUint(header, 10, 16); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return wait, wait >= minRetryAfter && wait <= maxRetryAfter
}

// statusText is "503 Service Unavailable".
func statusText(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}
