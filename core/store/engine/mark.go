package engine

import (
	"encoding/binary"
	"errors"
	"slices"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// markOps are the operations of marks by their number in what is stored, where
// they take two bits.
var markOps = []sdk.Action{sdk.Trigger, sdk.Acknowledge, sdk.Resolve, core.Reopen}

// The first byte of a mark, besides its operation and its severity.
const (
	markAcked  = 1 << 5
	markSource = 1 << 6
)

// EncodeMarks returns a slot's marks: a byte that says whether older ones were
// forgotten, then for each a byte of flags, and the request, the index and
// perhaps the sender's time as variable-length numbers, where request and time
// are differences to the mark before.
func EncodeMarks(s *core.Slot) []byte {
	if len(s.Marks) == 0 {
		return nil
	}
	raw := make([]byte, 1, 1+16*len(s.Marks))
	if s.Cut {
		raw[0] = 1
	}
	severities := sdk.Severities()
	var request, at int64
	for i := range s.Marks {
		m := &s.Marks[i]
		flags := max(0, slices.Index(markOps, m.Op)) | (slices.Index(severities, m.Severity)+1)<<2
		if m.Acked {
			flags |= markAcked
		}
		if !m.SourceAt.IsZero() {
			flags |= markSource
		}
		raw = append(raw, byte(flags))
		raw = binary.AppendVarint(raw, int64(m.Request)-request)
		raw = binary.AppendUvarint(raw, uint64(m.Index))
		request = int64(m.Request)
		if !m.SourceAt.IsZero() {
			raw = binary.AppendVarint(raw, m.SourceAt.UnixMicro()-at)
			at = m.SourceAt.UnixMicro()
		}
	}
	return raw
}

var errMarks = errors.New("a slot's marks can't be read")

// DecodeMarks sets a slot's marks from what EncodeMarks has written.
func DecodeMarks(raw []byte, s *core.Slot) error {
	s.Marks, s.Cut = nil, false
	if len(raw) == 0 {
		return nil
	}
	d := markReader{raw: raw[1:]}
	s.Cut = raw[0] == 1
	var request, at int64
	for len(d.raw) > 0 && !d.failed {
		flags := int(d.raw[0])
		d.raw = d.raw[1:]
		m := core.Mark{Op: markOps[flags&3], Acked: flags&markAcked != 0}
		if n := flags >> 2 & 7; n > 0 {
			m.Severity = severityAt(n - 1)
		}
		request += d.varint()
		m.Request, m.Index = core.ID(request), int(d.uvarint())
		if flags&markSource != 0 {
			at += d.varint()
			m.SourceAt = Time(at)
		}
		s.Marks = append(s.Marks, m)
	}
	if d.failed {
		return errMarks
	}
	return nil
}

func severityAt(i int) sdk.Severity {
	if all := sdk.Severities(); i < len(all) {
		return all[i]
	}
	return ""
}

// markReader reads numbers. Its first failure sticks.
type markReader struct {
	raw    []byte
	failed bool
}

func (d *markReader) varint() int64 {
	v, n := binary.Varint(d.raw)
	return skip(d, v, n)
}

func (d *markReader) uvarint() uint64 {
	v, n := binary.Uvarint(d.raw)
	return skip(d, v, n)
}

func skip[T int64 | uint64](d *markReader, v T, n int) T {
	if n <= 0 {
		d.failed, d.raw = true, nil
		return 0
	}
	d.raw = d.raw[n:]
	return v
}
