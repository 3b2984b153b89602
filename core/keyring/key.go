package keyring

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// Prefix begins the keys that we make, so that secret scanners find them.
const Prefix = "bck_"

// MinKeyLength is the least number of characters of a key that an operator
// brings along.
const MinKeyLength = 24

const (
	randomLength   = 32 // 190 bits
	checksumLength = 6
	base62         = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// NewKey makes a routing key from a source of random bytes, which is
// crypto/rand.Reader outside tests: "bck_", 32 characters of base62, and 6 of
// checksum. The checksum is the CRC-32 (IEEE) of the 32 characters, written as
// a base62 number (digits, upper case, lower case) with leading zeros. It
// tells a mistyped key from a wrong one and protects nothing.
func NewKey(random io.Reader) (string, error) {
	var key strings.Builder
	key.WriteString(Prefix)
	for block := [64]byte{}; key.Len() < len(Prefix)+randomLength; {
		if _, err := io.ReadFull(random, block[:]); err != nil {
			return "", fmt.Errorf("draw a routing key: %w", err)
		}
		for _, b := range block {
			// 248 is the greatest multiple of 62 in a byte: what is above
			// would favour the first characters.
			if b < 248 && key.Len() < len(Prefix)+randomLength {
				key.WriteByte(base62[b%62])
			}
		}
	}
	return key.String() + checksum(key.String()[len(Prefix):]), nil
}

// Check reports what is wrong with the form of a key, without showing it. Keys
// with our prefix must have our form and checksum; others must have at least
// MinKeyLength letters, digits and any of "-._~", which stand in a URL as they
// are.
func Check(key string) error {
	body, ours := strings.CutPrefix(key, Prefix)
	switch {
	case ours && len(body) != randomLength+checksumLength:
		return fmt.Errorf("keys that begin with %q have %d characters, this one has %d",
			Prefix, len(Prefix)+randomLength+checksumLength, len(key))
	case ours && checksum(body[:randomLength]) != body[randomLength:]:
		return errors.New("the checksum doesn't match: the key is mistyped")
	case len(key) < MinKeyLength:
		return fmt.Errorf("a key needs %d characters, this one has %d", MinKeyLength, len(key))
	}
	for _, c := range []byte(key) {
		if !strings.ContainsRune(base62+"-._~", rune(c)) {
			return errors.New("a key consists of letters, digits and any of -._~")
		}
	}
	return nil
}

func checksum(s string) string {
	var digits [checksumLength]byte
	sum := crc32.ChecksumIEEE([]byte(s))
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = base62[sum%62]
		sum /= 62
	}
	return string(digits[:])
}
