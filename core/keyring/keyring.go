// Package keyring finds the integration that a routing key names, and decides
// whether a request with that key may come in: expiry, allow-list, signature.
//
// A Table is immutable. A reload builds a new one and swaps it whole, so a
// request never sees half of a configuration. It knows no HTTP: headers and
// bodies come in as values, and so does the time.
package keyring

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Config holds what a Table is built from.
type Config struct {
	Integrations []*core.Integration
	// Pepper keys the index, so that a copy of it is of no use without the
	// pepper. It may be empty in tests.
	Pepper []byte
}

// Table finds integrations by routing key.
type Table struct {
	pepper       []byte
	index        map[digest]entry
	integrations []*core.Integration
	entrances    []sdk.Entrance
}

// digest is HMAC-SHA-256(pepper, SHA-256(key)). The inner hash lets an operator
// configure a key by its plain SHA-256.
type digest [sha256.Size]byte

type entry struct {
	integration *core.Integration
	keyID       string
	expires     time.Time
}

// Match is what a routing key names.
type Match struct {
	Integration *core.Integration
	KeyID       string // which of the integration's keys it was; safe to log
}

// New builds a table. It reports every key that can't work: too short, of the
// wrong form, mistyped, or configured twice.
func New(cfg Config) (*Table, error) {
	t := &Table{
		pepper:       slices.Clone(cfg.Pepper),
		index:        map[digest]entry{},
		integrations: slices.Clone(cfg.Integrations),
	}
	var problems []error
	for _, in := range t.integrations {
		for _, key := range in.Keys {
			if err := t.add(in, key); err != nil {
				problems = append(problems, fmt.Errorf("integration %s: routing key %q: %w", in.ID(), key.ID, err))
			}
		}
		t.addEntrances(in)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Table) add(in *core.Integration, key core.RoutingKey) error {
	hash := key.SHA256
	if !key.Value.Empty() {
		if err := Check(key.Value.Reveal()); err != nil {
			return err
		}
		hash = sha256.Sum256([]byte(key.Value.Reveal()))
	}
	if hash == [sha256.Size]byte{} {
		return errors.New("neither a value nor a sha256 is set")
	}
	d := t.digest(hash)
	if other, ok := t.index[d]; ok {
		return fmt.Errorf("integration %s has the same key as %q", other.integration.ID(), other.keyID)
	}
	t.index[d] = entry{integration: in, keyID: key.ID, expires: key.Expires}
	return nil
}

func (t *Table) digest(hash [sha256.Size]byte) digest {
	mac := hmac.New(sha256.New, t.pepper)
	mac.Write(hash[:])
	return digest(mac.Sum(nil))
}

// Find returns what the key names at the given time. Keys that are unknown,
// revoked or expired give the same *core.Error with code RouteNotFound, after
// the same work: a stranger learns nothing from either.
func (t *Table) Find(key string, now time.Time) (Match, error) {
	e, ok := t.index[t.digest(sha256.Sum256([]byte(key)))]
	expired := !e.expires.IsZero() && !now.Before(e.expires)
	if !ok || expired {
		return Match{}, NotFound()
	}
	return Match{Integration: e.integration, KeyID: e.keyID}, nil
}

// NotFound is the refusal of a key that names nothing.
func NotFound() error {
	return &core.Error{Code: core.RouteNotFound, Message: "Webhook routing key is invalid or expired"}
}

// Integrations lists the integrations in the order of the configuration.
func (t *Table) Integrations() []*core.Integration { return slices.Clone(t.integrations) }

// Integration returns the integration with the id "TYPE/NAME".
func (t *Table) Integration(id string) (*core.Integration, bool) {
	for _, in := range t.integrations {
		if in.ID() == id {
			return in, true
		}
	}
	return nil, false
}

// Entrance returns what the integrations' adapters declare for a method and
// path besides /webhooks/{routingKey}.
func (t *Table) Entrance(method, path string) (sdk.Entrance, bool) {
	for _, e := range t.entrances {
		if e.Method != method {
			continue
		}
		if _, ok := e.Match(path); ok {
			return e, true
		}
	}
	return sdk.Entrance{}, false
}

// Declares reports whether requests of the integration may come in by the
// entrance.
func Declares(in *core.Integration, e sdk.Entrance) bool {
	return slices.ContainsFunc(in.Info.Entrances, func(own sdk.Entrance) bool {
		return own.Method == e.Method && own.Path == e.Path && own.KeyFrom == e.KeyFrom
	})
}

// addEntrances keeps the first declaration of a method and path: two adapters
// that speak one vendor's protocol declare the same one. Paths without names
// go before those with names.
func (t *Table) addEntrances(in *core.Integration) {
	for _, e := range in.Info.Entrances {
		taken := slices.ContainsFunc(t.entrances, func(other sdk.Entrance) bool {
			return other.Method == e.Method && other.Path == e.Path
		})
		if !taken {
			t.entrances = append(t.entrances, e)
		}
	}
	slices.SortStableFunc(t.entrances, func(a, b sdk.Entrance) int {
		return strings.Count(a.Path, "{") - strings.Count(b.Path, "{")
	})
}
