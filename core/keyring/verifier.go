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
		proof, err := v.verifySNS(header, decoded, now)
		if proof.Pending == "" {
			proof.How = "signed with a certificate of Amazon SNS"
		}
		return proof, err
	}
	return core.Proof{How: how(in)}, Verify(in, header, raw, now)
}

// how says what it means that Verify has no objection.
func how(in *core.Integration) string {
	switch {
	case in.VerifyNone:
		return `not verified: verify = "none"`
	case len(in.Info.Signatures) == 0:
		return "not verified: the vendor signs nothing"
	case len(in.SigningSecrets) == 0:
		return "not verified: no signing secret is configured"
	}
	return "signed with a configured secret"
}
