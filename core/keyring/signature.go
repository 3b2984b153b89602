package keyring

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // HMAC-SHA-1 is what some vendors sign with, and HMAC needs no collision resistance
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// standardTolerance is what the Standard Webhooks specification recommends.
const standardTolerance = 5 * time.Minute

// maxSignatures bounds the signatures in one header that are looked at. A
// sender that rotates its secret sends two.
const maxSignatures = 8

// verdict is how one scheme took a request, from worst to best.
type verdict int

const (
	absent  verdict = iota // the header isn't there
	partial                // another header that is signed isn't there
	wrong                  // no secret gives this signature
	expired                // the signature is right, the time isn't
	valid
)

// Verify checks a request against the signature schemes that the integration's
// adapter declares, over the body as sent. Any scheme with any of the secrets
// will do: a vendor may offer several, and a rotation has two secrets. The
// error is a *core.Error with code SignatureInvalid or SignatureExpired.
func Verify(in *core.Integration, header http.Header, body []byte, now time.Time) error {
	if in.VerifyNone {
		return nil
	}
	schemes := in.Info.Signatures
	if len(in.SigningSecrets) == 0 {
		for _, s := range schemes {
			if !s.Optional {
				return invalid("no signing secret is configured for this integration")
			}
		}
		return nil
	}
	best := absent
	for i := range schemes {
		r := signed{scheme: &schemes[i], header: header, body: body, now: now}
		best = max(best, r.verify(in.SigningSecrets))
	}
	switch best {
	case valid:
		return nil
	case expired:
		return &core.Error{Code: core.SignatureExpired, Message: "The signature's timestamp is too far from the present"}
	case wrong:
		return invalid("The signature doesn't match")
	case partial:
		return invalid("The timestamp or id that the signature covers is missing")
	}
	return invalid("The signature is missing")
}

func invalid(message string) error {
	return &core.Error{Code: core.SignatureInvalid, Message: message}
}

// signed is a request seen by one scheme.
type signed struct {
	scheme *sdk.SignatureScheme
	header http.Header
	body   []byte
	now    time.Time
}

func (r *signed) verify(secrets []core.Secret) verdict {
	best := absent
	for _, secret := range secrets {
		if secret.Empty() {
			continue // an empty secret would be everybody's
		}
		best = max(best, r.verifyWith(secret.Reveal()))
	}
	return best
}

func (r *signed) verifyWith(secret string) verdict {
	switch r.scheme.Kind {
	case sdk.SchemeHMAC:
		return r.hmac(secret)
	case sdk.SchemeStandardWebhooks:
		return r.standard(secret)
	case sdk.SchemeSharedSecret:
		value, ok := strings.CutPrefix(r.header.Get(r.scheme.Header), r.scheme.Prefix)
		return compare(value, ok, secret)
	case sdk.SchemeBasic:
		value, ok := credentials(r.header, "Basic")
		pair, err := base64.StdEncoding.DecodeString(value)
		return compare(string(pair), ok && err == nil, secret)
	case sdk.SchemeBearer:
		value, ok := credentials(r.header, "Bearer")
		return compare(value, ok, secret)
	}
	return wrong // a kind that this version doesn't know must not open the door
}

// credentials returns what follows the scheme in the Authorization header.
func credentials(h http.Header, scheme string) (string, bool) {
	kind, value, ok := strings.Cut(h.Get("Authorization"), " ")
	return strings.TrimSpace(value), ok && strings.EqualFold(kind, scheme)
}

// compare takes the same time wherever the two differ, and whatever their
// lengths are.
func compare(got string, present bool, want string) verdict {
	if !present || got == "" {
		return absent
	}
	g, w := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	if subtle.ConstantTimeCompare(g[:], w[:]) == 1 {
		return valid
	}
	return wrong
}

func (r *signed) hmac(secret string) verdict {
	header := r.header.Get(r.scheme.Header)
	switch {
	case header == "":
		return absent
	case r.lacks("{timestamp}", r.scheme.TimestampHeader) || r.lacks("{id}", r.scheme.IDHeader):
		return partial
	}
	sum := r.mac([]byte(secret))
	if sum == nil {
		return wrong
	}
	for i, value := range strings.Split(header, ",") {
		if i == maxSignatures {
			break
		}
		encoded, ok := strings.CutPrefix(strings.TrimSpace(value), r.scheme.Prefix)
		if ok && hmac.Equal(decode(r.scheme.Encoding, encoded), sum) {
			return r.fresh(r.header.Get(r.scheme.TimestampHeader), r.scheme.Tolerance)
		}
	}
	return wrong
}

// lacks reports whether a header that is signed isn't there. Without it nothing
// could be proven, whatever the signature is.
func (r *signed) lacks(placeholder, header string) bool {
	return strings.Contains(r.scheme.Signed, placeholder) && r.header.Get(header) == ""
}

// mac returns the signature of the request, nil for an unknown algorithm.
func (r *signed) mac(key []byte) []byte {
	algorithms := map[string]func() hash.Hash{"sha256": sha256.New, "": sha256.New, "sha1": sha1.New, "sha512": sha512.New}
	algorithm, ok := algorithms[r.scheme.Algorithm]
	if !ok {
		return nil
	}
	mac := hmac.New(algorithm, key)
	for rest := template(r.scheme); rest != ""; {
		var part []byte
		part, rest = r.next(rest)
		mac.Write(part)
	}
	return mac.Sum(nil)
}

func template(s *sdk.SignatureScheme) string {
	if s.Signed == "" {
		return "{body}"
	}
	return s.Signed
}

// next returns what the first part of a template stands for, and the parts
// after it. Values aren't looked at for further placeholders.
func (r *signed) next(template string) (part []byte, rest string) {
	if rest, ok := strings.CutPrefix(template, "{body}"); ok {
		return r.body, rest
	}
	if rest, ok := strings.CutPrefix(template, "{timestamp}"); ok {
		return []byte(r.header.Get(r.scheme.TimestampHeader)), rest
	}
	if rest, ok := strings.CutPrefix(template, "{id}"); ok {
		return []byte(r.header.Get(r.scheme.IDHeader)), rest
	}
	if i := strings.IndexByte(template[1:], '{'); i >= 0 {
		return []byte(template[:i+1]), template[i+1:]
	}
	return []byte(template), ""
}

// decode returns nil for what isn't well encoded, which equals no signature.
func decode(encoding, s string) []byte {
	if encoding == "base64" {
		sum, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return nil
		}
		return sum
	}
	sum, err := hex.DecodeString(s)
	if err != nil {
		return nil
	}
	return sum
}

// fresh judges the timestamp of a request whose signature is right.
func (r *signed) fresh(timestamp string, tolerance time.Duration) verdict {
	if tolerance == 0 {
		return valid
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return wrong
	}
	if r.now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return expired
	}
	return valid
}

// standard verifies as the Standard Webhooks specification says: the header
// holds signatures "v1,BASE64" with spaces between them, over
// "{id}.{timestamp}.{body}".
func (r *signed) standard(secret string) verdict {
	id, timestamp := r.header.Get("Webhook-Id"), r.header.Get("Webhook-Timestamp")
	signatures := r.header.Get("Webhook-Signature")
	switch {
	case signatures == "":
		return absent
	case id == "" || timestamp == "":
		return partial
	}
	key := standardKey(secret)
	if len(key) == 0 {
		return wrong
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(r.body)
	sum := mac.Sum(nil)
	for i, s := range strings.Fields(signatures) {
		if i == maxSignatures {
			break
		}
		encoded, ok := strings.CutPrefix(s, "v1,")
		if ok && hmac.Equal(decode("base64", encoded), sum) {
			tolerance := r.scheme.Tolerance
			if tolerance == 0 {
				tolerance = standardTolerance
			}
			return r.fresh(timestamp, tolerance)
		}
	}
	return wrong
}

// standardKey reads a secret as the specification writes it, "whsec_BASE64",
// and takes one of another form as it is.
func standardKey(secret string) []byte {
	encoded, marked := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err == nil {
		return key
	}
	if marked {
		return nil
	}
	return []byte(secret)
}
