package config

import (
	"testing"
	"time"

	"bellcrank.example/sdk"
)

func TestAWrittenSchemeStandsInPlaceOfTheAdapters(t *testing.T) {
	for _, in := range full(t).Integrations {
		if in.ID() != "acme/factory" {
			continue
		}
		same(t, "Signatures", in.Info.Signatures, []sdk.SignatureScheme{{
			Name: "hmac", Kind: sdk.SchemeHMAC, Algorithm: "sha256", Header: "X-Acme-Signature", Prefix: "v0=", Encoding: "hex",
			Signed: "v0:{id}:{timestamp}:{body}", TimestampHeader: "X-Acme-Time", IDHeader: "X-Acme-Id", Tolerance: 5 * time.Minute,
		}})
		same(t, "len(SigningSecrets)", len(in.SigningSecrets), 2)
		return
	}
	t.Error("the example has no integration acme/factory")
}

func TestASignedTimestampIsCheckedUnlessToldOtherwise(t *testing.T) {
	c, d := load(t, `
integration "sentry" "web" {
  signing_secrets = [env("A_SECRET")]
  signature "hmac" {
    header           = "X-Signature"
    signed           = "{timestamp}.{body}"
    timestamp_header = "X-Time"
  }
  signature "bearer" {}
  routing_key "a" {
    value = env("KEY_A")
  }
}
destination "log" "a" {}
route "rest" {
  to = [destination.log.a]
}
`)
	if d.HasErrors() {
		t.Fatal(lines(d))
	}
	schemes := c.Integrations[0].Info.Signatures
	if len(schemes) != 2 || schemes[0].Tolerance != 5*time.Minute || schemes[1].Kind != sdk.SchemeBearer {
		t.Errorf("schemes %+v, want an hmac with 5 minutes and a bearer", schemes)
	}
}
