package pluginhost

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// Bounds of what is taken over from a line that is JSON.
const (
	maxLogFields = 16
	maxLogField  = 256 // bytes of a value, and of a name
)

// logLine is a line that a plugin has logged as JSON, in the form of log/slog
// or of hclog.
type logLine struct {
	level   slog.Level
	message string
	fields  []any // names and values
}

// readLogLine reports false for everything else that a plugin may print.
func readLogLine(raw []byte) (logLine, bool) {
	if len(raw) == 0 || raw[0] != '{' {
		return logLine{}, false
	}
	var members map[string]any
	if json.Unmarshal(raw, &members) != nil {
		return logLine{}, false
	}
	take := func(names ...string) string {
		for _, name := range names {
			if text, ok := members[name].(string); ok {
				delete(members, name)
				return text
			}
		}
		return ""
	}
	l := logLine{message: printable(take("msg", "@message")), level: levelOf(take("level", "@level"))}
	if l.message == "" {
		return logLine{}, false
	}
	take("time", "@timestamp") // the gateway's own is beside it
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if len(l.fields) == 2*maxLogFields {
			break
		}
		l.fields = append(l.fields, cut(printable(name), maxLogField), cut(printable(fmt.Sprint(members[name])), maxLogField))
	}
	return l, true
}

// levelOf reads a level's name, of which slog may say how far from it a line is.
func levelOf(name string) slog.Level {
	name, _, _ = strings.Cut(strings.ToLower(name), "+")
	switch name {
	case "trace", "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}
