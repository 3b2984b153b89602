package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"bellcrank.example/plugins/internal/flat"
)

// text returns a member that is text, or a number or boolean as written.
func text(m flat.Members, name string) string {
	raw := bytes.TrimSpace(m[name])
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || bytes.Equal(raw, []byte("null")) {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	return strings.ToValidUTF8(strings.TrimSpace(s), "\uFFFD")
}

// object returns a member that is an object, empty if it is none.
func object(m flat.Members, name string) flat.Members {
	inner, err := flat.Parse(m[name])
	if err != nil {
		return flat.Members{}
	}
	return inner
}

// objects returns the objects in a member that is a list.
func objects(m flat.Members, name string) []flat.Members {
	var items []json.RawMessage
	if json.Unmarshal(m[name], &items) != nil {
		return nil
	}
	var list []flat.Members
	for _, item := range items {
		if inner, err := flat.Parse(item); err == nil {
			list = append(list, inner)
		}
	}
	return list
}

// readTime reads the forms that AWS uses. The zero time means none of them.
func readTime(s string) time.Time {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700"} {
		if at, err := time.Parse(form, s); err == nil && at.Year() > 1 {
			return at.UTC()
		}
	}
	return time.Time{}
}

func first(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

// texts returns the strings in a member that is a list.
func texts(m flat.Members, name string) []string {
	var items []any
	if json.Unmarshal(m[name], &items) != nil {
		return nil
	}
	var list []string
	for _, item := range items {
		if s, ok := item.(string); ok {
			list = append(list, s)
		}
	}
	return list
}
