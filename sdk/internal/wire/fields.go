package wire

import (
	"errors"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of Exchange are written and read here by hand, in the bytes of
// protobuf and to its rules: the library's way, by messages that are converted
// afterwards, takes a tenth more of the processors for a call. A fuzz test holds
// the two to the same answers.

// Kinds of fields, which follow a field's number in its tag.
const (
	varint  = uint64(protowire.VarintType)
	fixed64 = uint64(protowire.Fixed64Type)
	length  = uint64(protowire.BytesType)
	group   = uint64(protowire.StartGroupType)
	fixed32 = uint64(protowire.Fixed32Type)
)

var (
	errWire = errors.New("it is no protobuf message")
	errUTF8 = errors.New("a string is not valid UTF-8")
)

// fields reads a message field by field. What it returns are parts of the
// message.
type fields[T string | []byte] struct {
	rest  T
	tag   uint64 // of the field: its number, shifted by 3, and its kind
	n     uint64 // value of a varint
	value T      // value of what has a length
	err   error  // why there is no other field; nil at the end
}

// next reads a field, and reports whether there was one.
func (f *fields[T]) next() bool {
	if f.err != nil || len(f.rest) == 0 {
		return false
	}
	var ok bool
	if f.tag, ok = f.varint(); !ok || !f.skip(protowire.DefaultRecursionLimit) {
		f.err = errWire
		return false
	}
	return true
}

// skip reads the value that belongs to the tag.
func (f *fields[T]) skip(depth int) (ok bool) {
	if number := f.tag >> 3; number < uint64(protowire.MinValidNumber) || number > uint64(protowire.MaxValidNumber) {
		return false
	}
	switch f.tag & 7 {
	case varint:
		f.n, ok = f.varint()
		return ok
	case length:
		n, ok := f.varint()
		return ok && f.take(n)
	case fixed32:
		return f.take(4)
	case fixed64:
		return f.take(8)
	case group:
		return f.skipGroup(depth)
	}
	return false
}

// skipGroup reads to the end of a group.
func (f *fields[T]) skipGroup(depth int) (ok bool) {
	begin := f.tag
	for depth >= 0 {
		if f.tag, ok = f.varint(); !ok {
			return false
		}
		if end := uint64(protowire.EndGroupType); f.tag&7 == end {
			return f.tag == begin-group+end
		}
		if !f.skip(depth - 1) {
			return false
		}
	}
	return false
}

// take reads so many bytes as the value.
func (f *fields[T]) take(n uint64) bool {
	if n > uint64(len(f.rest)) {
		return false
	}
	f.value, f.rest = f.rest[:n], f.rest[n:]
	return true
}

func (f *fields[T]) varint() (n uint64, ok bool) {
	if len(f.rest) > 0 && f.rest[0] < 0x80 { // by far the most
		n, f.rest = uint64(f.rest[0]), f.rest[1:]
		return n, true
	}
	return f.longVarint()
}

func (f *fields[T]) longVarint() (n uint64, ok bool) {
	for i := 0; i < len(f.rest); i++ {
		b := f.rest[i]
		if i == 9 && b > 1 {
			return 0, false // more than 64 bits
		}
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			f.rest = f.rest[i+1:]
			return n, true
		}
	}
	return 0, false
}

// string returns the value, which must be valid UTF-8.
func (f *fields[T]) string() string {
	s := string(f.value)
	if !utf8.ValidString(s) {
		f.err = errUTF8
	}
	return s
}

// message reads the value as a message of its own.
func (f *fields[T]) message() fields[T] { return fields[T]{rest: f.value} }

// within takes over why a message in this one couldn't be read.
func (f *fields[T]) within(inner fields[T]) {
	if inner.err != nil {
		f.err = inner.err
	}
}

// Fields are appended as protobuf does: what is zero is left out.

func appendNumber(to []byte, number protowire.Number, n uint64) []byte {
	if n == 0 {
		return to
	}
	return protowire.AppendVarint(protowire.AppendTag(to, number, protowire.VarintType), n)
}

// appendText appends a string, and mends it if it isn't valid UTF-8.
func appendText(to []byte, number protowire.Number, s string) []byte {
	if s == "" {
		return to
	}
	return appendElement(to, number, s)
}

func appendBytes[T string | []byte](to []byte, number protowire.Number, b T) []byte {
	if len(b) == 0 {
		return to
	}
	to = protowire.AppendVarint(protowire.AppendTag(to, number, protowire.BytesType), uint64(len(b)))
	return append(to, b...)
}

// appendElement appends a string of a list, where an empty one counts.
func appendElement(to []byte, number protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(to, number, protowire.BytesType), text(s))
}

// roomForLength is how many bytes a length of 128 to 16383 takes.
const roomForLength = 2

// begin appends the tag of what has a length, and room for it. What follows is
// the value, until end.
func begin(to []byte, number protowire.Number) (_ []byte, at int) {
	to = append(protowire.AppendTag(to, number, protowire.BytesType), make([]byte, roomForLength)...)
	return to, len(to)
}

// end puts the length in front of what has been appended from at on.
func end(to []byte, at int) []byte {
	n := len(to) - at
	size := protowire.SizeVarint(uint64(n))
	if more := size - roomForLength; more != 0 {
		to = append(to, make([]byte, max(more, 0))...)
		copy(to[at+more:], to[at:at+n])
		to = to[:at+more+n]
	}
	protowire.AppendVarint(to[:at-roomForLength], uint64(n))
	return to
}

func appendFlag(to []byte, number protowire.Number, flag bool) []byte {
	return appendNumber(to, number, uint64(boolByte(flag)))
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendTexts(to []byte, number protowire.Number, list []string) []byte {
	for _, s := range list {
		to = appendElement(to, number, s)
	}
	return to
}
