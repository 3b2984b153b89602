package wire

import (
	"fmt"
	"strings"
	"unsafe"

	"bellcrank.example/sdk"
)

// Reading an answer multiplies it: two bytes make an event of hundreds, and a
// comma in its metadata makes a hundred. So an answer is measured before it is
// read, which takes no memory at all.

// Bounds are how much of anything an answer may have before it is absurd. What
// is too much and not absurd is for whoever reads the answer to cut.
type Bounds struct {
	Events   int // with the rejections
	Services int // of an event
	Labels   int // of an event
	Links    int // of an event
	Notes    int
	Paths    int
}

// TooManyEvents says that an answer has more events and rejections than bounds
// allow: it is these.
type TooManyEvents int

// Error says how many there are.
func (n TooManyEvents) Error() string { return fmt.Sprintf("%d events in one answer", int(n)) }

// What parts of an answer take once they are read, in bytes. A list takes twice
// its elements while it grows.
const (
	sizeEvent     = int(unsafe.Sizeof(sdk.Event{}))
	sizeRejection = 2 * int(unsafe.Sizeof(sdk.Rejection{}))
	sizeLink      = 2 * int(unsafe.Sizeof(sdk.Link{}))
	sizeText      = 2 * int(unsafe.Sizeof(""))
	sizeOther     = 64 // a reply, a failure, a customer's impact
	sizeResult    = 256

	// The smallest map that isn't empty has room for eight members, and a larger
	// one at times for twice as many as it has. A list begins with one.
	sizeObject = 360
	sizeList   = 96
	sizeMember = 112

	// What is nested deeper than anything everyday takes room on the stack.
	usualDepth = 64
	sizeDepth  = 1 << 10
)

// Measure returns about how many bytes an answer takes once it is read, and an
// error if that isn't to be tried: a TooManyEvents, or what else there is too
// much of.
func (m Message) Measure(b Bounds) (int, error) {
	c := measure{bounds: b, size: len(m.text)}
	f := fields[string]{rest: m.text}
	for f.next() {
		switch f.tag {
		case 3<<3 | length:
			c.size += sizeResult
			c.result(f.message())
		case 4<<3 | length:
			c.size += sizeOther
		}
	}
	if c.events > b.Events {
		return c.size, TooManyEvents(c.events)
	}
	c.most("notes", c.notes, b.Notes)
	c.most("paths read", c.paths, b.Paths)
	return c.size + max(c.deepest-usualDepth, 0)*sizeDepth, c.err
}

// measure adds up one answer. What can't be read ends it: the reader says so.
type measure struct {
	bounds               Bounds
	size                 int
	events, notes, paths int
	deepest              int   // nesting of JSON
	err                  error // the first that there is too much of
}

func (c *measure) most(what string, n, most int) {
	if n > most && c.err == nil {
		c.err = fmt.Errorf("%d %s, %d would be absurd", n, what, most)
	}
}

func (c *measure) result(f fields[string]) {
	for f.next() {
		switch f.tag {
		case 1<<3 | length:
			c.events++
			c.event(f.message())
		case 2<<3 | length:
			c.events++
			c.size += sizeRejection
		case 4<<3 | length:
			c.size += sizeOther + len(f.value)
		case 5<<3 | length:
			c.size += sizeOther
		case 6<<3 | length:
			c.notes++
			c.size += sizeText
		case 7<<3 | length:
			c.paths++
			c.size += sizeText
		}
	}
}

func (c *measure) event(f fields[string]) {
	c.size += sizeEvent
	var services, links int
	for f.next() {
		switch f.tag {
		case 9<<3 | length:
			services++
			c.size += sizeText
		case 10<<3 | varint:
			c.size += sizeOther
		case 15<<3 | length:
			c.most("labels of an event", c.json(f.value), c.bounds.Labels)
		case 16<<3 | length:
			c.json(f.value)
		case 17<<3 | length:
			links++
			c.size += sizeLink
		}
	}
	c.most("services of an event", services, c.bounds.Services)
	c.most("links of an event", links, c.bounds.Links)
}

// json adds what a JSON text takes once it is read, and returns how many
// members it has, those of what is nested in it among them. Strings with
// escapes are copied.
func (c *measure) json(text string) (members int) {
	depth := 0
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '"':
			n := stringIn(text[at:])
			at, c.size = at+n, c.size+n
		case '{':
			c.size += sizeObject
			depth++
		case '[':
			c.size += sizeList
			depth++
		case '}', ']':
			c.deepest = max(c.deepest, depth)
			depth--
		case ',':
			members++
			c.size += sizeMember
		}
	}
	c.deepest = max(c.deepest, depth)
	return members + 1
}

// stringIn returns where the string ends that begins a JSON text.
func stringIn(text string) int {
	for at := 1; ; at += 2 { // past what is escaped
		n := strings.IndexByte(text[at:], '"')
		if n < 0 {
			return len(text) - 1
		}
		escape := strings.IndexByte(text[at:at+n], '\\')
		if escape < 0 {
			return at + n
		}
		at += escape
		if at+2 > len(text) {
			return len(text) - 1
		}
	}
}

// Batch is the answer to a batch as it came.
type Batch struct{ text string }

// Messages takes a batch apart. An error says that there are more answers in it
// than it may have.
func (b Batch) Messages(most int) ([]Message, error) {
	var all []Message
	f := fields[string]{rest: b.text}
	for f.next() {
		if f.tag != 1<<3|length {
			continue
		}
		if len(all) == most {
			return nil, fmt.Errorf("a batch of %d has more answers", most)
		}
		m, err := messageOf(strings.Clone(f.value)) // a small answer mustn't hold the others
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, f.err
}

// maxSteps is how many parts a destination's answer may have that take more
// memory than bytes, its headers for the most part.
const maxSteps = 1_000

// checkStep refuses an answer of a destination that would multiply when the
// library reads it.
func checkStep(message string) error {
	n := 0
	f := fields[string]{rest: message}
	for f.next() {
		if f.tag&7 != length {
			continue
		}
		n++
		inner := f.message()
		for inner.next() {
			if inner.tag == 3<<3|length {
				n++
			}
		}
	}
	if n > maxSteps {
		return fmt.Errorf("the answer has %d headers, %d are the most", n, maxSteps)
	}
	return nil
}
