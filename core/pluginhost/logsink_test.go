package pluginhost

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// sink returns a log sink whose clock stands still until it is set.
func sink(clock *time.Time) (*logSink, *bytes.Buffer) {
	var log bytes.Buffer
	return newLogSink(slog.New(slog.NewJSONHandler(&log, nil)), func() time.Time { return *clock }), &log
}

// logged returns the lines that reached the log.
func logged(t *testing.T, log *bytes.Buffer) (lines []string) {
	t.Helper()
	for text := range strings.Lines(log.String()) {
		var entry struct{ Msg, Line string }
		if err := json.Unmarshal([]byte(text), &entry); err != nil {
			t.Fatalf("log line %q: %v", text, err)
		}
		if entry.Line != "" {
			lines = append(lines, entry.Line)
		} else {
			lines = append(lines, entry.Msg)
		}
	}
	return lines
}

func TestOutputBecomesLines(t *testing.T) {
	clock := time.Unix(0, 0)
	s, log := sink(&clock)
	for _, part := range []string{"first li", "ne\nsecond\n\n  \n", "\x1b[31mred\u202e\r\u0000\n", "unfinished"} {
		fmt.Fprint(s, part)
	}
	if got, want := strings.Join(logged(t, log), "|"), "first line|second|[31mred"; got != want {
		t.Errorf("log = %q, want %q", got, want)
	}
	last := s.lastWords()
	if got, want := strings.Join(last, "|"), "first line|second|[31mred|unfinished"; got != want || s.droppedBytes() != 0 {
		t.Errorf("last words = %q, %d dropped; want %q and none", got, s.droppedBytes(), want)
	}
}

func TestALineWithoutAnEndIsCut(t *testing.T) {
	clock := time.Unix(0, 0)
	s, log := sink(&clock)
	for range 1000 {
		fmt.Fprint(s, strings.Repeat("x", 1000))
	}
	fmt.Fprint(s, "\nnext\n")
	got := logged(t, log)
	if len(got[0]) > lineLimit || got[len(got)-1] != "next" {
		t.Errorf("%d bytes and then %q, want %d bytes at most and then the next line", len(got[0]), got[len(got)-1], lineLimit)
	}
	if cap(s.partial) > 2*lineLimit {
		t.Errorf("it keeps %d bytes of a line", cap(s.partial))
	}
}

func TestAFloodIsDroppedAndCounted(t *testing.T) {
	clock := time.Unix(0, 0)
	s, log := sink(&clock)
	line := strings.Repeat("x", 1023) + "\n"
	for range 10_000 {
		fmt.Fprint(s, line)
	}
	if got := log.Len(); got > 2*logBurst {
		t.Errorf("%d bytes reached the log, want no more than the burst", got)
	}
	if got, want := s.droppedBytes(), int64(10_000*1024-logBurst); got != want {
		t.Errorf("%d bytes dropped, want %d", got, want)
	}
	log.Reset()
	clock = clock.Add(time.Second)
	for range 1000 {
		fmt.Fprint(s, line)
	}
	got := logged(t, log)
	if want := 1 + logRate/1024; len(got) != want || !strings.Contains(got[0], "dropped") {
		t.Errorf("a second later: %d lines, the first %.60q; want %d, the first says that output was dropped", len(got), got[0], want)
	}
}

func TestTheLastWordsOutliveAFlood(t *testing.T) {
	clock := time.Unix(0, 0)
	s, _ := sink(&clock)
	for i := range 100_000 {
		fmt.Fprintf(s, "line %d of a flood that is long enough to be dropped\n", i)
	}
	reason := "panic: " + strings.Repeat("the reason ", 100)
	fmt.Fprintln(s, reason)
	last := s.lastWords()
	if len(last) != lastLines || last[lastLines-1] != reason || !strings.HasPrefix(last[0], "line 99901 ") {
		t.Errorf("%d lines, %.60q to %.60q; want %d, the last with the reason", len(last), last[0], last[len(last)-1], lastLines)
	}
}

func TestAFloodWaitsAndTheRestDoesNot(t *testing.T) {
	clock := time.Now()
	s, _ := sink(&clock)
	if wait := s.pace(readBurst); wait != 0 {
		t.Errorf("a burst waits %v", wait)
	}
	if wait := s.pace(readRate / 1024); wait != time.Second/1024 {
		t.Errorf("what follows waits %v, want the %v that it takes too much", wait, time.Second/1024)
	}
	if wait := s.pace(readBurst); wait != longestWait {
		t.Errorf("a flood waits %v, want %v at the longest", wait, longestWait)
	}
	clock = clock.Add(time.Minute)
	if wait := s.pace(1); wait != 0 {
		t.Errorf("after a pause a byte waits %v", wait)
	}
}

func TestLinesOfALoggerKeepTheirFields(t *testing.T) {
	clock := time.Unix(0, 0)
	for line, want := range map[string]string{
		`{"time":"x","level":"WARN","msg":"odd","request_id":"0d","n":3}`:               `WARN odd map[n:3 request_id:0d]`,
		`{"@level":"error","@message":"odd","@timestamp":"x","@module":"m"}`:            `ERROR odd map[@module:m]`,
		`{"msg":"a\u001b[31m\nb","level":"INFO+2","k\u202e":"\r","list":[1,{"a":"b"}]}`: `INFO a[31mb map[k: list:[1 map[a:b]]]`,
		`{"msg":""}`:    `INFO {"msg":""} map[]`,
		`{"msg":"cut`:   `INFO {"msg":"cut map[]`,
		`[{"msg":"x"}]`: `INFO [{"msg":"x"}] map[]`,
	} {
		s, log := sink(&clock)
		fmt.Fprintln(s, line)
		var got struct {
			Level, Line string
			Fields      map[string]string
		}
		if err := json.Unmarshal(log.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if is := fmt.Sprint(got.Level, " ", got.Line, " ", got.Fields); is != want {
			t.Errorf("%s\nis logged as %s\nwant         %s", line, is, want)
		}
	}
	s, log := sink(&clock)
	fmt.Fprint(s, `{"msg":"many"`)
	for i := range 100 {
		fmt.Fprintf(s, `,"f%d":%q`, i, strings.Repeat("x", 70))
	}
	fmt.Fprintln(s, "}")
	if n := strings.Count(log.String(), "xxx\""); n != maxLogFields {
		t.Errorf("%d fields are logged, want %d", n, maxLogFields)
	}
}
