package sdk

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
)

// Fingerprint makes a dedup key of parts that together name a problem, for
// vendors that give no key of their own. Equal parts in the same order give the
// same 24 hex digits, today and after an upgrade.
func Fingerprint(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		h.Write([]byte(part))
		h.Write([]byte{0}) // so that "ab","c" isn't "a","bc"
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// LabelFingerprint is the Fingerprint of a set of labels, whatever their order.
// Leave out those that change while a problem lasts.
func LabelFingerprint(labels map[string]string) string {
	parts := make([]string, 0, 2*len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, name, labels[name])
	}
	return Fingerprint(parts...)
}
