package pluginhost

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	// lineLimit is the longest line of a plugin's output that is logged, in
	// bytes.
	lineLimit = 8 << 10
	// logRate and logBurst bound a plugin's output in the log, in bytes per
	// second and bytes.
	logRate  = 64 << 10
	logBurst = 1 << 20
	// readRate and readBurst bound how quickly output is read at all, in bytes
	// per second and bytes: a flood waits in its own process, instead of
	// costing the gateway the time to throw it away.
	readRate  = 8 << 20
	readBurst = 16 << 20
	// longestWait is how long one write waits for that.
	longestWait = 20 * time.Millisecond
	// lastLines is how many lines are kept for the case of a crash.
	lastLines = 100
)

// logSink carries one process's output to the gateway's log, so that the
// process can neither flood it nor forge lines in it.
type logSink struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	partial []byte
	last    [][]byte // the newest lines, a ring
	lines   int      // how many there have been
	cause   string   // of a Go program's death: the newest such line, which its stacks push out of the ring
	causeAt int      // which line that was
	tokens  float64  // bytes that may be logged now
	filled  time.Time
	dropped int64     // bytes since the log was last told
	total   int64     // bytes dropped in all
	unread  float64   // bytes that may be read now; below zero: a flood has to wait
	counted time.Time // when that was
}

func newLogSink(log *slog.Logger, now func() time.Time) *logSink {
	return &logSink{log: log, now: now, tokens: logBurst, filled: now(), unread: readBurst, counted: now()}
}

// Write takes output as it comes, and makes a flood wait. It never fails.
func (s *logSink) Write(b []byte) (int, error) {
	time.Sleep(s.pace(len(b)))
	s.mu.Lock()
	defer s.mu.Unlock()
	for rest := b; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte{'\n'})
		rest = after
		room := max(lineLimit-len(s.partial), 0)
		s.partial = append(s.partial, line[:min(len(line), room)]...)
		s.drop(len(line) - room)
		if ended {
			s.line()
		}
	}
	return len(b), nil
}

// pace returns how long to wait before so much more is taken.
func (s *logSink) pace(n int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if passed := now.Sub(s.counted); passed > 0 {
		s.unread = min(s.unread+passed.Seconds()*readRate, readBurst)
	}
	s.counted = now
	s.unread -= float64(n)
	if s.unread >= 0 {
		return 0
	}
	return min(time.Duration(-s.unread/readRate*float64(time.Second)), longestWait)
}

func (s *logSink) drop(n int) {
	if n > 0 {
		s.dropped += int64(n)
		s.total += int64(n)
	}
}

// line ends the current line.
func (s *logSink) line() {
	raw := s.partial
	s.partial = s.partial[:0]
	if len(bytes.TrimSpace(raw)) == 0 {
		return
	}
	s.remember(raw)
	if !s.take(len(raw) + 1) {
		s.drop(len(raw) + 1)
		return
	}
	if s.dropped > 0 {
		s.log.Warn("plugin wrote more than its share, output dropped", "bytes", s.dropped)
		s.dropped = 0
	}
	if l, ok := readLogLine(raw); ok {
		s.log.Log(context.Background(), l.level, "plugin output", "line", l.message, slog.Group("fields", l.fields...))
		return
	}
	s.log.Info("plugin output", "line", printable(string(raw)))
}

// remember keeps a line for the case of a crash, whether it is logged or not:
// after a flood, too, the last words say why. It costs no memory of its own
// for each line of a flood.
func (s *logSink) remember(raw []byte) {
	if len(s.last) < lastLines {
		s.last = append(s.last, nil)
	}
	if bytes.HasPrefix(raw, []byte("panic: ")) || bytes.HasPrefix(raw, []byte("fatal error: ")) {
		s.cause, s.causeAt = string(raw), s.lines
	}
	at := s.lines % lastLines
	s.last[at] = append(s.last[at][:0], raw...)
	s.lines++
}

// take asks for room in the log.
func (s *logSink) take(n int) bool {
	now := s.now()
	if passed := now.Sub(s.filled); passed > 0 {
		s.tokens = min(s.tokens+passed.Seconds()*logRate, logBurst)
	}
	s.filled = now
	if s.tokens < float64(n) {
		return false
	}
	s.tokens -= float64(n)
	return true
}

// printable removes what could disturb a terminal or the look of a line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// droppedBytes returns how much was too much for the log.
func (s *logSink) droppedBytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// lastWords returns the newest lines.
func (s *logSink) lastWords() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := make([]string, 0, len(s.last)+2)
	if s.cause != "" && s.causeAt < s.lines-len(s.last) {
		lines = append(lines, printable(s.cause))
	}
	for i := range s.last {
		lines = append(lines, printable(string(s.last[(s.lines+i)%len(s.last)])))
	}
	if len(s.partial) > 0 {
		lines = append(lines, printable(string(s.partial)))
	}
	return lines
}
