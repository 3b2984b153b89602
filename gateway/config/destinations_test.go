package config

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"bellcrank.example/core/destination"
	"bellcrank.example/core/destination/transport"
	"bellcrank.example/core/destination/vendor"
	"bellcrank.example/sdk"
)

// identity is a certificate that somebody may be told to trust, and its key.
var identity = sync.OnceValues(func() (cert, private string) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
})

// section returns the part of the page on destinations that is about a type.
func section(t *testing.T, page, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "\n## "+name+"\n")
	if !ok {
		t.Errorf("docs/destinations.md has no section on %s", name)
	}
	part, _, _ := strings.Cut(rest, "\n## ")
	return part
}

func TestEveryDestinationTypeIsInTheExampleAndTheReference(t *testing.T) {
	page, err := os.ReadFile("../../docs/destinations.md")
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile("../../configs/destinations.hcl")
	if err != nil {
		t.Fatal(err)
	}
	file, diags := hclsyntax.ParseConfig(src, "destinations.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	have := map[string]bool{}
	for _, b := range file.Body.(*hclsyntax.Body).Blocks {
		if b.Type == "destination" {
			written(b.Body, b.Labels[0], have)
		}
	}
	shared := section(t, string(page), "Texts") + section(t, string(page), "Connection") + section(t, string(page), "Login")
	once(have, "mattermost", sdk.SettingsOf[vendor.Common]())
	once(have, "webhook", sdk.SettingsOf[transport.Login]())
	for _, kind := range destination.Types() {
		part := section(t, string(page), kind.Name) + shared
		for _, s := range kind.Settings {
			if !have[kind.Name+".settings."+s.Name] {
				t.Errorf("setting %s of %s isn't in configs/destinations.hcl", s.Name, kind.Name)
			}
			if !regexp.MustCompile("(?m)^\\|.*`" + s.Name + "`.*\\|").MatchString(part) {
				t.Errorf("setting %s of %s isn't in docs/destinations.md", s.Name, kind.Name)
			}
		}
	}
}

// once lets it do that one type has settings which several have.
func once(have map[string]bool, there string, settings []sdk.Setting) {
	for _, s := range settings {
		for _, kind := range destination.Types() {
			name := kind.Name + ".settings." + s.Name
			have[name] = have[name] || have[there+".settings."+s.Name]
		}
	}
}
