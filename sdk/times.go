package sdk

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// layouts are how vendors write times besides RFC 3339. Those without a zone
// are read as UTC.
var layouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05 -0700 MST",
	"2006-01-02 15:04:05 MST",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999",
	"2006.01.02 15:04:05",
	time.RFC1123Z,
	time.RFC1123,
}

// ParseTime reads a time in any of the forms that vendors use: RFC 3339 with
// or without a zone or a "T", RFC 1123, and numbers since 1970, in seconds with
// or without a fraction, milliseconds, microseconds or nanoseconds by their
// size. It returns the zero time for everything else.
func ParseTime(s string) time.Time {
	s = strings.TrimSpace(s)
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return known(t)
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return sinceEpoch(n)
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > 0 && f < firstMillis {
		whole, part := math.Modf(f)
		return time.Unix(int64(whole), int64(math.Round(part*1e6))*1000).UTC() // a float64 has no more than microseconds
	}
	return time.Time{}
}

// known takes a program's zero time in any zone for what it is.
func known(t time.Time) time.Time {
	if t.Year() <= 1 {
		return time.Time{}
	}
	return t.UTC()
}

// The smallest numbers that are read as milliseconds, microseconds and
// nanoseconds. In the next larger unit they would lie thousands of years ahead.
const (
	firstMillis = 100_000_000_000
	firstMicros = firstMillis * 1000
	firstNanos  = firstMicros * 1000
)

func sinceEpoch(n int64) time.Time {
	switch {
	case n <= 0:
		return time.Time{}
	case n < firstMillis:
		return time.Unix(n, 0).UTC()
	case n < firstMicros:
		return time.UnixMilli(n).UTC()
	case n < firstNanos:
		return time.UnixMicro(n).UTC()
	}
	return time.Unix(0, n).UTC()
}
