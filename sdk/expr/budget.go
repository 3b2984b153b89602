package expr

import "errors"

// Bounds of what evaluations may cost. A unit is a step of an evaluation, an
// element that is looked at, or 16 bytes of text that are read or made: tens of
// nanoseconds.
const (
	unitsPerValue  = 500_000
	unitsPerBudget = 5_000_000
	bytesPerUnit   = 16
	unitsPerLook   = 4096 // between two looks at whether to stop
)

var errCost = errors.New("the evaluation costs too much")

// Budget bounds what the evaluations for one request cost together. It is not
// for use by several goroutines at a time.
type Budget struct {
	stop  func() error
	left  int   // of all evaluations
	floor int   // what must be left after the one under way
	look  int   // at what is left stop is asked again
	spent error // why the one under way ends
}

// NewBudget returns the budget of one request. Evaluations end with the error
// of stop, such as a context's Err; nil: they go on.
func NewBudget(stop func() error) *Budget {
	return &Budget{stop: stop, left: unitsPerBudget, look: unitsPerBudget - unitsPerLook}
}

// begin starts an evaluation. One that costs too much doesn't spoil the next,
// unless nothing is left for any.
func (b *Budget) begin() {
	b.floor, b.spent = max(0, b.left-unitsPerValue), nil
	_ = b.charge(1)
}

// charge takes units. Once it has failed it fails until the next evaluation
// begins, so that no try hides it.
func (b *Budget) charge(units int) error {
	if b.spent != nil {
		return b.spent
	}
	b.left -= units
	switch {
	case b.left < b.floor:
		b.left, b.spent = b.floor, errCost
	case b.left <= b.look:
		b.look = b.left - unitsPerLook
		if b.stop != nil {
			b.spent = b.stop()
		}
	}
	return b.spent
}

// chargeText takes what reading or making so many bytes costs.
func (b *Budget) chargeText(bytes int) error { return b.charge(1 + bytes/bytesPerUnit) }

// weigh takes what looking at the whole of a value costs: one that shares its
// parts may be far larger than what it was made of.
func (b *Budget) weigh(value any) error {
	switch v := value.(type) {
	case string:
		return b.chargeText(len(v))
	case []any:
		for _, element := range v {
			if err := b.weigh(element); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, element := range v {
			if err := b.chargeText(len(name)); err != nil {
				return err
			}
			if err := b.weigh(element); err != nil {
				return err
			}
		}
	}
	return b.charge(1)
}
