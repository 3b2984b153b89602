package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// signatureArguments are what the kinds of scheme may be told. Those with a
// header can't do without it.
var signatureArguments = map[sdk.SchemeKind][]string{
	sdk.SchemeHMAC: {
		"header", "algorithm", "prefix", "encoding", "signed", "timestamp_header", "id_header", "tolerance",
	},
	sdk.SchemeStandardWebhooks: {"tolerance"},
	sdk.SchemeSharedSecret:     {"header", "prefix"},
	sdk.SchemeBasic:            {},
	sdk.SchemeBearer:           {},
}

// signatures takes over the schemes that are written in place of those that
// the adapter declares, and checks that there is a secret for what signs.
func (l *loader) signatures(b *block, in *core.Integration) {
	var written []sdk.SignatureScheme
	b.each("signature", func(b *block) {
		if s, ok := b.signature(); ok {
			written = append(written, s)
		}
	})
	if b.holds("signature") {
		in.Info.Signatures = written
	}
	schemes := slices.DeleteFunc(slices.Clone(in.Info.Signatures), func(s sdk.SignatureScheme) bool { return !s.NeedsSecret() })
	required := slices.ContainsFunc(schemes, func(s sdk.SignatureScheme) bool { return !s.Optional })
	secrets := b.has("signing_secrets") && !b.emptyList("signing_secrets")
	switch {
	case required && !in.VerifyNone && !secrets:
		l.errorf(&b.at, "No signing secret",
			"%s signs its requests. Set signing_secrets, or verify = \"none\" to take unsigned ones from whoever has the key.", in.Info.Name)
	case in.VerifyNone && secrets:
		l.warnf(b.where("verify"), "Signatures aren't verified", "There are signing_secrets, but verify = \"none\" turns them off.")
	case secrets && len(schemes) == 0 && !b.holds("signature"):
		l.errorf(b.where("signing_secrets"), "No signature scheme",
			"%s declares none that has a secret, so every request would be refused. Say with a signature block how it signs.", in.Info.Name)
	case !in.VerifyNone:
		b.fitting(in.SigningSecrets, schemes)
	}
}

// emptyList reports whether a list is written out, without elements.
func (b *block) emptyList(name string) bool {
	elements, diags := hcl.ExprList(b.content.Attributes[name].Expr)
	return !diags.HasErrors() && len(elements) == 0
}

// fitting finds secrets that can't be right for any of the schemes.
func (b *block) fitting(secrets []core.Secret, schemes []sdk.SignatureScheme) {
	for i, secret := range secrets {
		var problem error
		for _, s := range schemes {
			if problem = unfit(s.Kind, secret.Reveal()); problem == nil {
				break
			}
		}
		if problem != nil {
			b.wrong(b.element("signing_secrets", i), "signing_secrets", problem)
		}
	}
}

// unfit says why a secret can't be one of a kind of scheme. It doesn't quote
// it.
func unfit(kind sdk.SchemeKind, secret string) error {
	switch kind {
	case sdk.SchemeBasic:
		if !strings.Contains(secret, ":") {
			return errors.New(`basic authentication wants "user:password"`)
		}
	case sdk.SchemeStandardWebhooks:
		encoded, marked := strings.CutPrefix(secret, "whsec_")
		if key, err := base64.StdEncoding.DecodeString(encoded); marked && (err != nil || len(key) == 0) {
			return errors.New("what follows whsec_ is no base64")
		}
	}
	return nil
}

// signature reads one scheme.
func (b *block) signature() (sdk.SignatureScheme, bool) {
	kind := sdk.SchemeKind(b.labels[0])
	arguments, known := signatureArguments[kind]
	if !known {
		kinds := []string{"hmac", "standard-webhooks", "shared-secret", "basic", "bearer"}
		b.wrong(&b.at, "signature", among(b.labels[0], kinds))
		return sdk.SignatureScheme{}, false
	}
	for _, name := range slices.Sorted(maps.Keys(b.content.Attributes)) {
		if !slices.Contains(arguments, name) {
			b.l.errorf(&b.content.Attributes[name].NameRange, "Unsupported argument", "A %s signature has no %s.", kind, name)
		}
	}
	if slices.Contains(arguments, "header") && !b.has("header") {
		b.l.errorf(&b.at, "Missing header", "Which header has the signature?")
	}
	s := sdk.SignatureScheme{Name: string(kind), Kind: kind}
	b.header("header", &s.Header)
	b.text("prefix", &s.Prefix)
	b.oneOf("algorithm", &s.Algorithm, "sha256", "sha512", "sha1")
	b.oneOf("encoding", &s.Encoding, "hex", "base64")
	b.header("timestamp_header", &s.TimestampHeader)
	b.header("id_header", &s.IDHeader)
	b.positive("tolerance", &s.Tolerance)
	read(b, "signed", cty.String, &s.Signed, func(v cty.Value) (string, error) { return v.AsString(), b.signed(v.AsString()) })
	if kind == sdk.SchemeHMAC {
		b.timed(&s)
	}
	return s, true
}

// token is the name of a header.
var token = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func (b *block) header(name string, to *string) {
	read(b, name, cty.String, to, func(v cty.Value) (string, error) {
		if !token.MatchString(v.AsString()) {
			return "", fmt.Errorf("%q is no name of a header", v.AsString())
		}
		return v.AsString(), nil
	})
}

// defaultTolerance is what most vendors recommend.
const defaultTolerance = 5 * time.Minute

// placeholder is what a template has in braces.
var placeholder = regexp.MustCompile(`\{[^}]*\}?`)

// signed says what is wrong with the template of what is signed.
func (b *block) signed(template string) error {
	for _, p := range placeholder.FindAllString(template, -1) {
		if err := among(p, []string{"{body}", "{timestamp}", "{id}"}); err != nil {
			return err
		}
	}
	switch {
	case !strings.Contains(template, "{body}"):
		return errors.New("without {body} any body would pass")
	case strings.Contains(template, "{timestamp}") && !b.has("timestamp_header"):
		return errors.New("{timestamp} needs a timestamp_header")
	case strings.Contains(template, "{id}") && !b.has("id_header"):
		return errors.New("{id} needs an id_header")
	}
	return nil
}

// timed finds a timestamp that proves nothing.
func (b *block) timed(s *sdk.SignatureScheme) {
	stamped := strings.Contains(s.Signed, "{timestamp}")
	switch {
	case b.has("tolerance") && !b.has("timestamp_header"):
		b.l.errorf(b.where("tolerance"), "No timestamp", "tolerance needs a timestamp_header.")
	case b.has("timestamp_header") && !stamped:
		b.l.warnf(b.where("timestamp_header"), "Timestamp isn't signed",
			"Whoever sends a request again can change it. Write signed = \"{timestamp}.{body}\", or as the vendor says.")
	case stamped && !b.has("tolerance"):
		s.Tolerance = defaultTolerance
	}
}
