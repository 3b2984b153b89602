package keyring

import (
	"net/http"
	"time"

	"bellcrank.example/core"
)

// Verifier checks signatures by whatever scheme an adapter declares.
type Verifier struct {
	Certificates Certificates // without any, what is signed by a certificate stays pending
}

// Verify says what is known of who sent a request, or refuses it with a
// *core.Error of code SignatureInvalid or SignatureExpired. The raw body is
// as sent, the decoded one after content decoding. A request whose proof is
// pending is judged again, by the time of its receipt, before it is adapted.
func (v Verifier) Verify(in *core.Integration, header http.Header, raw, decoded []byte, now time.Time) (core.Proof, error) {
	if !in.VerifyNone && declaresSNS(in) {
		return v.verifySNS(header, decoded, now)
	}
	return core.Proof{}, Verify(in, header, raw, now)
}
