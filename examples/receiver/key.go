package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// tolerance is the largest difference between the sender's clock and ours.
const tolerance = 5 * time.Minute

// key verifies "v1a" signatures: it is public, and signs nothing.
type key ed25519.PublicKey

// newKey reads what follows "whpk_".
func newKey(encoded string) (key, error) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, errors.New("whpk_ is followed by base64 of 32 bytes")
	}
	return key(raw), nil
}

// Verify returns what is wrong with a delivery. There is one signature for each
// secret of the sender's: one that is right is enough.
func (k key) Verify(body []byte, header http.Header) error {
	id, at := header.Get(standardwebhooks.HeaderWebhookID), header.Get(standardwebhooks.HeaderWebhookTimestamp)
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" {
		return errors.New("a header is missing")
	}
	if since := time.Since(time.Unix(seconds, 0)); since > tolerance || since < -tolerance {
		return errors.New("the timestamp is too old or too new")
	}
	signed := append([]byte(id+"."+at+"."), body...)
	for signature := range strings.FieldsSeq(header.Get(standardwebhooks.HeaderWebhookSignature)) {
		encoded, ok := strings.CutPrefix(signature, "v1a,")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if ok && err == nil && ed25519.Verify(ed25519.PublicKey(k), signed, raw) {
			return nil
		}
	}
	return errors.New("the signature is wrong")
}
