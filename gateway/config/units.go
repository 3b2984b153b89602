package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads "90d", "1h30m", "250ms". Days have 24 hours and stand
// first.
func parseDuration(s string) (time.Duration, error) {
	wrong := fmt.Errorf(`%q is no duration; write one such as "30s", "5m", "2h" or "14d"`, s)
	var total time.Duration
	rest := s
	if days, after, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16) // 65,535 days fit a Duration
		if err != nil {
			return 0, wrong
		}
		total, rest = time.Duration(n)*24*time.Hour, after
		if rest == "" {
			return total, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d > math.MaxInt64-total {
		return 0, wrong
	}
	if d < 0 {
		return 0, errors.New("a duration can't be negative")
	}
	return total + d, nil
}

// parseSize reads "4MiB", "512KiB", "1GiB" or a number of bytes.
func parseSize(s string) (int64, error) {
	digits, shift := s, 0
	for unit, by := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30} {
		if before, ok := strings.CutSuffix(s, unit); ok {
			digits, shift = strings.TrimSpace(before), by
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf(`%q is no size; write one such as "512KiB", "4MiB" or "1GiB"`, s)
	}
	return n << shift, nil
}

// parseRate reads "2/s", "30/m" or "100/h" as the time between two.
func parseRate(s string) (time.Duration, error) {
	count, unit, ok := strings.Cut(s, "/")
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	n, err := strconv.ParseUint(count, 10, 16)
	if !ok || per == 0 || err != nil || n == 0 {
		return 0, fmt.Errorf(`%q is no rate; write one such as "2/s", "30/m" or "100/h"`, s)
	}
	return per / time.Duration(n), nil
}
