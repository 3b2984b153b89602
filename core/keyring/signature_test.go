package keyring

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// The signatures below were made with openssl over the body {"a":1} and the
// secret "topsecret".
const (
	sha256Hex    = "bf1e6501b7fa928ec2391fea9dd90af3c9ad1b7b1ef6ff319c25940cec746bf8"
	sha1Hex      = "c64d87a91faebeb6857cfd112ed67e2268ef084c"
	sha512Base64 = "5E+6VcPW0iXv9cab09z6qozYeYKdMUq8e5NzayTw3raEroZe0rDi4zc/3cZTrecZYqfGU7i7Ta5szpaMp1LMqg=="
	stampedHex   = "2f8904a056fb0c9b14fea90515b43f23e4749753005269ac3f952f4a5dbc93b1" // 1700000000:BODY
	withIDHex    = "148452173d654b28818c768c46ec52c70dea174bc357f6a5de99da4f991de991" // v1:msg_1:1700000000:BODY
	newSecretHex = "534618a1e87c98fe425ea7751ab503d10cb7a82a77d8776f128669ee8b16e655" // secret "newsecret"
	standardSig  = "Lg7YK+FQFqTb54a3M+ROxNK4/oOM6qSErunvexCtWUU="
	standardKey1 = "whsec_c3RhbmRhcmQtd2ViaG9va3Mtc2VjcmV0LTE="
)

var (
	plain    = sdk.SignatureScheme{Kind: sdk.SchemeHMAC, Algorithm: "sha256", Header: "X-Signature", Encoding: "hex"}
	github   = sdk.SignatureScheme{Kind: sdk.SchemeHMAC, Algorithm: "sha256", Header: "X-Hub-Signature-256", Prefix: "sha256=", Encoding: "hex"}
	sha1s    = sdk.SignatureScheme{Kind: sdk.SchemeHMAC, Algorithm: "sha1", Header: "X-Signature", Encoding: "hex"}
	sha512s  = sdk.SignatureScheme{Kind: sdk.SchemeHMAC, Algorithm: "sha512", Header: "X-Signature", Encoding: "base64"}
	stamped  = sdk.SignatureScheme{Kind: sdk.SchemeHMAC, Header: "X-Signature", Signed: "{timestamp}:{body}", TimestampHeader: "X-Time", Tolerance: time.Minute}
	withID   = sdk.SignatureScheme{Kind: sdk.SchemeHMAC, Header: "X-Signature", Signed: "v1:{id}:{timestamp}:{body}", TimestampHeader: "X-Time", IDHeader: "X-Id"}
	standard = sdk.SignatureScheme{Kind: sdk.SchemeStandardWebhooks}
	shared   = sdk.SignatureScheme{Kind: sdk.SchemeSharedSecret, Header: "X-Gitlab-Token", Optional: true}
	basic    = sdk.SignatureScheme{Kind: sdk.SchemeBasic, Optional: true}
	bearer   = sdk.SignatureScheme{Kind: sdk.SchemeBearer, Optional: true}
)

func TestVerify(t *testing.T) {
	signedAt := time.Unix(1700000000, 0)
	standardHeaders := []string{"Webhook-Id", "msg_1", "Webhook-Timestamp", "1700000000", "Webhook-Signature"}
	tests := map[string]struct {
		schemes []sdk.SignatureScheme
		secrets string // with spaces between them; "topsecret" if empty, none if "-"
		headers []string
		body    string // {"a":1} if empty
		now     time.Time
		want    core.Code
	}{
		"sha256":                        {schemes: one(plain), headers: []string{"X-Signature", sha256Hex}},
		"upper case hex":                {schemes: one(plain), headers: []string{"X-Signature", strings.ToUpper(sha256Hex)}},
		"sha256 with a prefix":          {schemes: one(github), headers: []string{"X-Hub-Signature-256", "sha256=" + sha256Hex}},
		"sha1":                          {schemes: one(sha1s), headers: []string{"X-Signature", sha1Hex}},
		"sha512 in base64":              {schemes: one(sha512s), headers: []string{"X-Signature", sha512Base64}},
		"timestamp is signed":           {schemes: one(stamped), headers: []string{"X-Signature", stampedHex, "X-Time", "1700000000"}},
		"id and timestamp are signed":   {schemes: one(withID), headers: []string{"X-Signature", withIDHex, "X-Time", "1700000000", "X-Id", "msg_1"}},
		"rotated: the second secret":    {schemes: one(plain), secrets: "newsecret topsecret", headers: []string{"X-Signature", sha256Hex}},
		"rotated: the first secret":     {schemes: one(plain), secrets: "newsecret topsecret", headers: []string{"X-Signature", newSecretHex}},
		"two signatures in one header":  {schemes: one(plain), headers: []string{"X-Signature", newSecretHex + ", " + sha256Hex}},
		"any of several schemes":        {schemes: []sdk.SignatureScheme{bearer, plain}, headers: []string{"X-Signature", sha256Hex}},
		"standard webhooks":             {schemes: one(standard), secrets: standardKey1, headers: append(standardHeaders, "v1,"+standardSig)},
		"standard, second signature":    {schemes: one(standard), secrets: standardKey1, headers: append(standardHeaders, "v1,AAAA v1a,xx v1,"+standardSig)},
		"shared secret":                 {schemes: one(shared), headers: []string{"X-Gitlab-Token", "topsecret"}},
		"basic":                         {schemes: one(basic), secrets: "user:pass:word", headers: []string{"Authorization", "Basic dXNlcjpwYXNzOndvcmQ="}},
		"bearer":                        {schemes: one(bearer), headers: []string{"Authorization", "bearer topsecret"}},
		"nothing declared, nothing set": {secrets: "-"},
		"optional, not configured":      {schemes: one(bearer), secrets: "-"},

		"body tampered with":           {schemes: one(plain), headers: []string{"X-Signature", sha256Hex}, body: `{"a":2}`, want: core.SignatureInvalid},
		"white space added":            {schemes: one(plain), headers: []string{"X-Signature", sha256Hex}, body: `{"a": 1}`, want: core.SignatureInvalid},
		"signature missing":            {schemes: one(plain), want: core.SignatureInvalid},
		"signature empty":              {schemes: one(plain), headers: []string{"X-Signature", ""}, want: core.SignatureInvalid},
		"id that is signed is missing": {schemes: one(withID), headers: []string{"X-Signature", withIDHex, "X-Time", "1700000000"}, want: core.SignatureInvalid},
		"standard, timestamp missing":  {schemes: one(standard), secrets: standardKey1, headers: []string{"Webhook-Id", "msg_1", "Webhook-Signature", "v1," + standardSig}, want: core.SignatureInvalid},
		"signature cut":                {schemes: one(plain), headers: []string{"X-Signature", sha256Hex[:62]}, want: core.SignatureInvalid},
		"signature not hex":            {schemes: one(plain), headers: []string{"X-Signature", "zz"}, want: core.SignatureInvalid},
		"prefix missing":               {schemes: one(github), headers: []string{"X-Hub-Signature-256", sha256Hex}, want: core.SignatureInvalid},
		"secret retired":               {schemes: one(plain), secrets: "newsecret", headers: []string{"X-Signature", sha256Hex}, want: core.SignatureInvalid},
		"timestamp swapped":            {schemes: one(stamped), headers: []string{"X-Signature", stampedHex, "X-Time", "1700000001"}, want: core.SignatureInvalid},
		"timestamp missing":            {schemes: one(stamped), headers: []string{"X-Signature", stampedHex}, want: core.SignatureInvalid},
		"stale":                        {schemes: one(stamped), headers: []string{"X-Signature", stampedHex, "X-Time", "1700000000"}, now: signedAt.Add(61 * time.Second), want: core.SignatureExpired},
		"from the future":              {schemes: one(stamped), headers: []string{"X-Signature", stampedHex, "X-Time", "1700000000"}, now: signedAt.Add(-61 * time.Second), want: core.SignatureExpired},
		"standard, stale":              {schemes: one(standard), secrets: standardKey1, headers: append(standardHeaders, "v1,"+standardSig), now: signedAt.Add(301 * time.Second), want: core.SignatureExpired},
		"standard, other id":           {schemes: one(standard), secrets: standardKey1, headers: append(standardHeaders, "v1,"+standardSig, "Webhook-Id", "msg_2"), want: core.SignatureInvalid},
		"standard, empty key":          {schemes: one(standard), secrets: "whsec_", headers: append(standardHeaders, "v1,"+standardSig), want: core.SignatureInvalid},
		"standard, broken secret":      {schemes: one(standard), secrets: "whsec_?", headers: append(standardHeaders, "v1,"+standardSig), want: core.SignatureInvalid},
		"wrong shared secret":          {schemes: one(shared), headers: []string{"X-Gitlab-Token", "topsecre"}, want: core.SignatureInvalid},
		"wrong password":               {schemes: one(basic), secrets: "user:other", headers: []string{"Authorization", "Basic dXNlcjpwYXNzOndvcmQ="}, want: core.SignatureInvalid},
		"basic where bearer is wanted": {schemes: one(bearer), headers: []string{"Authorization", "Basic topsecret"}, want: core.SignatureInvalid},
		"required, not configured":     {schemes: one(plain), secrets: "-", want: core.SignatureInvalid},
		"secret without any scheme":    {want: core.SignatureInvalid},
		"unknown kind":                 {schemes: one(sdk.SignatureScheme{Kind: "rot13"}), want: core.SignatureInvalid},
		"unknown algorithm":            {schemes: one(sdk.SignatureScheme{Kind: sdk.SchemeHMAC, Algorithm: "md5", Header: "X-Signature"}), headers: []string{"X-Signature", sha256Hex}, want: core.SignatureInvalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := &core.Integration{Info: sdk.Info{Signatures: tt.schemes}, SigningSecrets: secrets(tt.secrets)}
			header := http.Header{}
			for i := 0; i < len(tt.headers); i += 2 {
				header.Set(tt.headers[i], tt.headers[i+1])
			}
			if tt.body == "" {
				tt.body = `{"a":1}`
			}
			if tt.now.IsZero() {
				tt.now = signedAt
			}
			var got core.Code
			err := Verify(in, header, []byte(tt.body), tt.now)
			if e, ok := errors.AsType[*core.Error](err); ok {
				got = e.Code
			}
			if got != tt.want || (err == nil) != (tt.want == "") {
				t.Errorf("Verify = %v, want code %q", err, tt.want)
			}
		})
	}
}

func one(s sdk.SignatureScheme) []sdk.SignatureScheme { return []sdk.SignatureScheme{s} }

func secrets(words string) []core.Secret {
	switch words {
	case "-":
		return nil
	case "":
		words = "topsecret"
	}
	var all []core.Secret
	for _, w := range strings.Fields(words) {
		all = append(all, core.NewSecret(w))
	}
	return all
}

func TestVerifyNoneIsTheOnlyWayAroundARequiredSignature(t *testing.T) {
	in := &core.Integration{Info: sdk.Info{Signatures: one(plain)}, VerifyNone: true}
	if err := Verify(in, http.Header{}, nil, noon); err != nil {
		t.Errorf("Verify with verify = none: %v", err)
	}
	in.VerifyNone, in.SigningSecrets = false, []core.Secret{core.NewSecret("")}
	if err := Verify(in, http.Header{"X-Signature": {""}}, nil, noon); err == nil {
		t.Error("an empty secret verified a request")
	}
}

func TestReasonsForABadSignatureAreDistinct(t *testing.T) {
	in := &core.Integration{Info: sdk.Info{Signatures: one(stamped)}, SigningSecrets: secrets("")}
	at := time.Unix(1700000000, 0)
	reasons := map[string]bool{}
	for _, err := range []error{
		Verify(in, http.Header{}, []byte(`{"a":1}`), at),
		Verify(in, http.Header{"X-Signature": {sha256Hex}, "X-Time": {"1700000000"}}, []byte(`{"a":1}`), at),
		Verify(in, http.Header{"X-Signature": {stampedHex}}, []byte(`{"a":1}`), at),
		Verify(in, http.Header{"X-Signature": {stampedHex}, "X-Time": {"1700000000"}}, []byte(`{"a":1}`), at.Add(time.Hour)),
		Verify(&core.Integration{Info: in.Info}, http.Header{}, nil, at),
	} {
		e, ok := errors.AsType[*core.Error](err)
		if !ok {
			t.Fatalf("Verify = %v, want a *core.Error", err)
		}
		reasons[e.Message] = true
	}
	if len(reasons) != 5 {
		t.Errorf("got %d reasons, want 5: %v", len(reasons), reasons)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("X-Signature", sha256Hex, "1700000000", []byte(`{"a":1}`))
	f.Add("Authorization", "Basic dXNlcjpwYXNzOndvcmQ=", "", []byte(""))
	f.Add("Webhook-Signature", "v1,"+standardSig, "x", []byte("{"))
	schemes := []sdk.SignatureScheme{github, sha512s, stamped, standard, shared, basic, bearer}
	in := &core.Integration{Info: sdk.Info{Signatures: schemes}, SigningSecrets: secrets("a-secret-nobody-guesses-0123456789")}
	f.Fuzz(func(t *testing.T, name, value, timestamp string, body []byte) {
		header := http.Header{"X-Time": {timestamp}, "Webhook-Id": {"1"}, "Webhook-Timestamp": {timestamp}}
		header.Set(name, value)
		if err := Verify(in, header, body, noon); err == nil {
			t.Errorf("%s: %q with time %q verified", name, value, timestamp)
		}
	})
}
