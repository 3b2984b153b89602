// Package core is the gateway's vocabulary and its pure rules: integrations,
// requests, incidents and how events fold into them, destinations, deliveries
// and how attempts at them end.
//
// It knows no clock, no store and no wire: time, ids and routes come in as
// values, so each rule can be tested as a function. Its types carry no JSON
// tags; the edges own their words.
package core

// DefaultTenant is the tenant of everything that is configured without one.
const DefaultTenant int64 = 1
