package webhook

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The bounds of a decoded secret, as Standard Webhooks asks.
const (
	minSecret = 24
	maxSecret = 64
)

// signer makes one signature.
type signer interface {
	Sign(id string, at time.Time, body []byte) (string, error)
}

// newSigner reads a secret: "whsec_" and base64 of 24 to 64 bytes for
// HMAC-SHA-256 ("v1"), or "whsk_" and base64 of an ed25519 seed or private key
// ("v1a"). No error repeats the secret.
func newSigner(secret string) (signer, error) {
	if key, ok := strings.CutPrefix(secret, "whsk_"); ok {
		return newKeySigner(key)
	}
	encoded, ok := strings.CutPrefix(secret, "whsec_")
	if !ok {
		return nil, errors.New("a signing secret begins with whsec_ or whsk_")
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("a signing secret isn't base64 after its prefix")
	}
	if len(raw) < minSecret || len(raw) > maxSecret {
		return nil, fmt.Errorf("a signing secret has %d bytes, want %d to %d", len(raw), minSecret, maxSecret)
	}
	return standardwebhooks.NewWebhookRaw(raw)
}

// keySigner signs asymmetrically: receivers hold only the public key.
type keySigner ed25519.PrivateKey

func newKeySigner(encoded string) (signer, error) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("a signing key isn't base64 after its prefix")
	}
	switch len(raw) {
	case ed25519.SeedSize:
		return keySigner(ed25519.NewKeyFromSeed(raw)), nil
	case ed25519.PrivateKeySize:
		return keySigner(raw), nil
	}
	return nil, fmt.Errorf("a signing key has %d bytes, want %d or %d", len(raw), ed25519.SeedSize, ed25519.PrivateKeySize)
}

// Sign makes a "v1a" signature.
func (k keySigner) Sign(id string, at time.Time, body []byte) (string, error) {
	signed := append([]byte(id+"."+strconv.FormatInt(at.Unix(), 10)+"."), body...)
	return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(ed25519.PrivateKey(k), signed)), nil
}

// signatures returns the header's value: one signature per secret, so that
// either verifies while secrets are rotated.
func signatures(signers []signer, id string, at time.Time, body []byte) (string, error) {
	all := make([]string, len(signers))
	for i, s := range signers {
		signature, err := s.Sign(id, at, body)
		if err != nil {
			return "", fmt.Errorf("sign: %w", err)
		}
		all[i] = signature
	}
	return strings.Join(all, " "), nil
}
