package client

import "sync"

// mailbox holds the answer to one call for its caller. An answer that comes when
// the caller has left gives its room back.
type mailbox struct {
	answer chan arrival // room for one

	mu   sync.Mutex
	left bool
}

func newMailbox() *mailbox { return &mailbox{answer: make(chan arrival, 1)} }

// put hands over an answer, the only one there is.
func (b *mailbox) put(a arrival) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left {
		a.drop()
		return
	}
	b.answer <- a
}

// leave says that nobody waits any more.
func (b *mailbox) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = true
	select {
	case a := <-b.answer:
		a.drop()
	default:
	}
}

func (b *mailbox) isLeft() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left
}
