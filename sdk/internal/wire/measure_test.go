package wire

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"bellcrank.example/sdk"
)

var someBounds = Bounds{Events: 1_000, Services: 1_600, Labels: 4_096, Links: 512, Notes: 1_600, Paths: 65_536}

// part is a field with a length.
func part(number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
}

// many is an answer of a result with so many times a part.
func many(n int, of []byte) []byte { return part(3, bytes.Repeat(of, n)) }

// manyInEvent is an answer of an event with so many times a part.
func manyInEvent(n int, of []byte) []byte { return part(3, part(1, bytes.Repeat(of, n))) }

func labels(n int) []byte {
	var object strings.Builder
	for i := range n {
		fmt.Fprintf(&object, `,"%d":""`, i)
	}
	return part(15, []byte("{"+object.String()[1:]+"}"))
}

func TestWhatIsAbsurdIsNotRead(t *testing.T) {
	tests := map[string]struct {
		most   int
		answer func(n int) []byte
	}{
		"events":     {someBounds.Events, func(n int) []byte { return many(n, part(1, nil)) }},
		"rejections": {someBounds.Events, func(n int) []byte { return many(n, part(2, nil)) }},
		"both":       {someBounds.Events, func(n int) []byte { return append(many(n-1, part(1, nil)), many(1, part(2, nil))...) }},
		"notes":      {someBounds.Notes, func(n int) []byte { return many(n, part(6, nil)) }},
		"paths":      {someBounds.Paths, func(n int) []byte { return many(n, part(7, nil)) }},
		"services":   {someBounds.Services, func(n int) []byte { return manyInEvent(n, part(9, nil)) }},
		"links":      {someBounds.Links, func(n int) []byte { return manyInEvent(n, part(17, nil)) }},
		"labels":     {someBounds.Labels, func(n int) []byte { return manyInEvent(1, labels(n)) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n, absurd := range map[int]bool{tt.most: false, tt.most + 1: true, 50 * tt.most: true} {
				m, err := received[Message](tt.answer(n))
				if err != nil {
					t.Fatal(err)
				}
				_, err = m.Measure(someBounds)
				if (err != nil) != absurd {
					t.Errorf("%d of them: %v", n, err)
				}
				events, isEvents := errors.AsType[TooManyEvents](err)
				if absurd && tt.most == someBounds.Events && (!isEvents || int(events) != n) {
					t.Errorf("%d of them: %v, want how many there are", n, err)
				}
			}
		})
	}
}

// TestNothingTakesMoreMemoryThanWasMeasured reads what multiplies most.
func TestNothingTakesMoreMemoryThanWasMeasured(t *testing.T) {
	json := func(field protowire.Number, text string) []byte { return manyInEvent(1, part(field, []byte(text))) }
	list := func(of string) []byte { return json(16, `{"a":[`+strings.Repeat(of+",", 20_000)+`0]}`) }
	var members strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&members, `"%d":0,`, i)
	}
	for name, answer := range map[string][]byte{
		"events":          many(20_000, part(1, nil)),
		"events of a map": many(5_000, part(1, append(part(15, []byte(`{"":""}`)), part(16, []byte(`{"":{"":1}}`))...))),
		"rejections":      many(20_000, part(2, nil)),
		"notes":           many(20_000, part(6, nil)),
		"links":           manyInEvent(20_000, part(17, nil)),
		"services":        manyInEvent(20_000, part(9, nil)),
		"labels":          manyInEvent(1, labels(20_000)),
		"numbers":         list("0"),
		"empty objects":   list("{}"),
		"small objects":   list(`{"":1}`),
		"empty lists":     list("[]"),
		"lists of one":    list("[1]"),
		"strings":         list(`""`),
		"escapes":         list(`"\n"`),
		"members":         json(16, "{"+members.String()+`"x":0}`),
		"unknown fields":  many(20_000, part(99, nil)),
		"failures":        bytes.Repeat(append(part(4, nil), part(3, nil)...), 20_000),
		"depth":           json(16, `{"a":`+strings.Repeat("[", 9_000)+strings.Repeat("]", 9_000)+`}`),
	} {
		t.Run(name, func(t *testing.T) {
			m, err := received[Message](answer)
			if err != nil {
				t.Fatal(err)
			}
			measured, _ := m.Measure(someBounds)
			before := inUse()
			read, err := m.Read()
			if err != nil {
				t.Fatal(err)
			}
			took := int(inUse()-before) + m.Len()
			if slack := 64 << 10; took > measured+slack {
				t.Errorf("%d bytes are measured as %d, and take %d", m.Len(), measured, took)
			}
			runtime.KeepAlive(read)
			runtime.KeepAlive(m)
		})
	}
}

// inUse is how many bytes of the heap are in use.
func inUse() int64 {
	runtime.GC()
	runtime.GC() // what pools still hold goes with the second
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func TestMeasuringTakesNoMemory(t *testing.T) {
	m, err := received[Message](sent(t, EncodeAnswer(Answer{ID: "i", Result: &sdk.Result{
		Events: []sdk.Event{{Title: "t", Labels: map[string]string{"a": `"\`, "b": ""}, Metadata: map[string]any{"a": []any{map[string]any{}}}, Links: []sdk.Link{{}}}},
		Notes:  []string{"n"},
	}})))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, err = m.Measure(someBounds) }); n > 0 || err != nil {
		t.Errorf("%v allocations, %v; want none", n, err)
	}
}

func TestABatchHasNoMoreAnswersThanRequests(t *testing.T) {
	for n, wrong := range map[int]bool{0: false, 32: false, 33: true, 1_000_000: true} {
		b, err := received[Batch](bytes.Repeat(part(1, nil), n))
		if err != nil {
			t.Fatal(err)
		}
		messages, err := b.Messages(32)
		if (err != nil) != wrong || err == nil && len(messages) != n {
			t.Errorf("%d answers: %d messages, %v", n, len(messages), err)
		}
	}
}

func TestAStepHasNoMoreHeadersThanAnybodyNeeds(t *testing.T) {
	for n, wrong := range map[int]bool{500: false, 500_000: true} {
		for _, blob := range [][]byte{part(1, bytes.Repeat(part(3, nil), n)), bytes.Repeat(part(1, part(3, nil)), n/2)} {
			if err := checkStep(string(blob)); (err != nil) != wrong {
				t.Errorf("%d headers: %v", n, err)
			}
		}
	}
}
