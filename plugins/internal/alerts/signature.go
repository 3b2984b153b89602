package alerts

import (
	"time"

	"bellcrank.example/sdk"
)

// Signatures are the ways in which either sender can prove itself, all of them
// off by default. Only Grafana has an HMAC; it covers the time only if a header
// for it is configured. The names of both headers are its defaults, which an
// operator can change.
func Signatures() []sdk.SignatureScheme {
	hmac := sdk.SignatureScheme{
		Name: "grafana", Kind: sdk.SchemeHMAC, Algorithm: "sha256", Encoding: "hex",
		Header: "X-Grafana-Alerting-Signature", Optional: true,
	}
	stamped := hmac
	stamped.Name, stamped.Signed = "grafana-timestamp", "{timestamp}:{body}"
	stamped.TimestampHeader, stamped.Tolerance = "X-Grafana-Alerting-Timestamp", 5*time.Minute
	return []sdk.SignatureScheme{
		{Name: "bearer", Kind: sdk.SchemeBearer, Optional: true},
		{Name: "basic", Kind: sdk.SchemeBasic, Optional: true},
		hmac, stamped,
	}
}
