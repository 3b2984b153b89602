package core

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"
)

// ID is a 63-bit, time-ordered id made by the gateway: 41 bits of milliseconds
// since 2025-01-01, 10 bits of node, 12 bits of sequence. Zero is no id.
type ID int64

// idEpoch is the zero of the ids' clock.
var idEpoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// idEncoding keeps the order of ids in the order of their strings.
var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// String returns 13 characters of base32 that sort as the ids do, or "" for
// zero.
func (id ID) String() string {
	if id == 0 {
		return ""
	}
	return idEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(id)))
}

// ParseID reads what String has written, in any letter case.
func ParseID(s string) (ID, error) {
	raw, err := idEncoding.DecodeString(strings.ToLower(s))
	if err != nil || len(raw) != 8 {
		return 0, fmt.Errorf("id %q: want 13 characters of base32", s)
	}
	id := ID(binary.BigEndian.Uint64(raw))
	if id <= 0 {
		return 0, fmt.Errorf("id %q is out of range", s)
	}
	return id, nil
}

// Time returns the millisecond in which the id was made, as its node's clock
// told it.
func (id ID) Time() time.Time {
	return idEpoch.Add(time.Duration(id>>22) * time.Millisecond)
}

// IDAt returns the smallest id of a millisecond: the bound of a range of ids.
func IDAt(t time.Time) ID {
	return ID(max(0, t.Sub(idEpoch).Milliseconds()) << 22)
}

// IDs makes ids. They rise even if the clock steps back.
type IDs struct {
	node int64
	now  func() time.Time

	mu   sync.Mutex
	last ID // guarded by mu
}

// NewIDs returns a maker for the node (0 to 1023) whose ids are all above
// highWater, the greatest id that was ever stored.
func NewIDs(node int, highWater ID, now func() time.Time) *IDs {
	return &IDs{node: int64(node & 1023), last: highWater, now: now}
}

// Next returns an id above all before it.
func (g *IDs) Next() ID {
	g.mu.Lock()
	defer g.mu.Unlock()
	ms := max(g.now().Sub(idEpoch).Milliseconds(), int64(g.last>>22))
	id := ID(ms<<22 | g.node<<12)
	if id <= g.last {
		seq := int64(g.last) & 4095
		if int64(g.last)>>22 == ms && (int64(g.last)>>12)&1023 == g.node && seq < 4095 {
			id |= ID(seq + 1)
		} else {
			id = ID((ms+1)<<22 | g.node<<12)
		}
	}
	g.last = id
	return id
}
