// Package wire owns the conversion between the adapter contract's Go types and
// its protobuf messages: it is the only place that knows both.
//
// Nothing here fails because of what a stranger sent. What can't be carried
// over as an event becomes a rejection, so that one bad element never costs
// the others. Whether what arrived is acceptable is the reader's business.
package wire

import (
	"math"
	"time"
)

// Sizes of messages, in bytes.
const (
	// MaxBody is the largest body that any adapter takes.
	MaxBody = 16 << 20
	// MaxRequest is the largest request message: a body, its headers and
	// what the encoding adds.
	MaxRequest = MaxBody + 1<<20
	// MaxAnswer is the largest answer to Adapt.
	MaxAnswer = 64 << 20
	// MaxExchangeBody is the largest body that is sent on Exchange.
	MaxExchangeBody = 256 << 10
	// MaxExchangeAnswer is the largest answer on Exchange; larger ones are
	// asked for again by Adapt.
	MaxExchangeAnswer = 3_670_016 // 3.5 MiB
	// MaxExchangeMessage is what the gateway takes from a stream before it
	// gives the stream up.
	MaxExchangeMessage = 4 << 20
	// WindowSize is how much may be under way, to the gateway and to the
	// plugin: a burst of answers, or of requests.
	WindowSize = 1 << 20
)

// Protocol is the version of the contract, which the handshake negotiates.
const Protocol = 1

// ContractMinor counts the additions to the contract.
const ContractMinor = 0

// Capabilities that a plugin may name in its description.
const (
	CapabilityExchange = "exchange"
	CapabilityBatch    = "batch"
)

// The handshake's cookie tells a plugin that the gateway has started it. It
// is no secret.
const (
	CookieKey   = "BELLCRANK_PLUGIN"
	CookieValue = "6f1d0c0e-adapter"
)

// LifelineEnv names the environment variable with the number of the file
// descriptor whose end of file means that the gateway is gone.
const LifelineEnv = "BELLCRANK_LIFELINE_FD"

// ShimEnv names the environment variable of a process that isn't the plugin
// yet, but executes it.
const ShimEnv = "BELLCRANK_SHIM"

// nanos returns a time as Unix nanoseconds: 0 for the zero time, and for one
// too far away to be told so.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	const limit = math.MaxInt64 / int64(time.Second)
	if s := t.Unix(); s >= limit || s <= -limit {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
