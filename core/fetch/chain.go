package fetch

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
)

// signer is whose name a signing certificate may bear. It differs by region,
// and hasn't always the region in it.
var signer = regexp.MustCompile(`^sns([.-][a-z0-9-]+)*\.amazonaws\.com(\.cn)?$`)

// issuers is where Amazon's authorities publish their own certificates.
var issuers = regexp.MustCompile(`^([a-z0-9-]+\.)*amazontrust\.com$`)

// check returns the certificate in an answer if it is Amazon SNS's and an
// authority that is trusted stands behind it.
func (c *Certificates) check(ctx context.Context, a answer) (*x509.Certificate, error) {
	certs, err := parsePEM(a.body)
	if err != nil {
		return nil, untrusted("The signing certificate can't be read")
	}
	leaf := certs[0]
	if names := append(slices.Clone(leaf.DNSNames), leaf.Subject.CommonName); !slices.ContainsFunc(names, signer.MatchString) {
		return nil, untrusted("The signing certificate isn't Amazon SNS's")
	}
	// SNS publishes the certificate alone. Who stands between it and the root
	// is usually who issued the certificate of the host, else it says itself
	// where its issuer is found.
	between := slices.Concat(certs[1:], a.peers)
	err = c.verify(leaf, between)
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
		issuer, fetchErr := c.issuer(ctx, leaf)
		if fetchErr != nil {
			return nil, fetchErr
		}
		err = c.verify(leaf, append(between, issuer...))
	}
	if expired, ok := errors.AsType[x509.CertificateInvalidError](err); ok && expired.Reason == x509.Expired {
		return nil, untrusted("The signing certificate has expired, or isn't valid yet")
	}
	if err != nil {
		return nil, untrusted("The signing certificate isn't from an authority that is trusted")
	}
	return leaf, nil
}

func parsePEM(text []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("no certificate")
	}
	return certs, nil
}

func (c *Certificates) verify(leaf *x509.Certificate, between []*x509.Certificate) error {
	pool := x509.NewCertPool()
	for _, cert := range between {
		pool.AddCert(cert)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: c.cfg.Roots, Intermediates: pool, CurrentTime: c.cfg.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

// issuer fetches the certificate of who issued one, from Amazon's authorities
// only. It proves nothing by itself, so plain http will do: a root must stand
// behind it.
func (c *Certificates) issuer(ctx context.Context, cert *x509.Certificate) ([]*x509.Certificate, error) {
	for _, at := range cert.IssuingCertificateURL {
		u, err := url.Parse(at)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || !issuers.MatchString(u.Host) {
			continue
		}
		a, err := c.cfg.Client.get(ctx, u.String())
		if err != nil {
			return nil, err
		}
		if issuer, err := x509.ParseCertificate(a.body); err == nil && a.status == http.StatusOK {
			return []*x509.Certificate{issuer}, nil
		}
	}
	return nil, nil
}
