package main

import "time"

// readTime reads the forms that AWS uses. The zero time means none of them.
func readTime(s string) time.Time {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700"} {
		if at, err := time.Parse(form, s); err == nil && at.Year() > 1 {
			return at.UTC()
		}
	}
	return time.Time{}
}
