// Package vendor is what the senders to all vendors begin with: settings that
// are decoded and checked, words, and a client.
package vendor

import (
	"cmp"
	"fmt"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/transport"
	"bellcrank.example/core/destination/wording"
	"bellcrank.example/sdk"
)

// Common are the settings that all have, for embedding in a type's own.
type Common struct {
	transport.Connection
	wording.Texts
}

func (c Common) common() Common { return c } //nolint:unused // called through Settings

// Settings are a type's settings, with Common among them.
type Settings interface {
	common() Common
	// Check reports what keeps them from working. An error begins with the
	// setting's name and repeats no secret.
	Check() error
}

// Sender is what a type's own sender embeds.
type Sender[S Settings] struct {
	Settings S
	Words    wording.Wording
	Client   *transport.Client
}

// patience is for the rest of an answer, in which many vendors say what came
// of a call.
const patience = 5 * time.Second

// New checks the settings of a type and returns what its sender begins with.
func New[S Settings](kind string, cfg core.SenderConfig) (Sender[S], error) {
	settings, err := sdk.DecodeSettings[S](cfg.Settings)
	if err != nil {
		return Sender[S]{}, fmt.Errorf("%s settings: %w", kind, err)
	}
	var login transport.Login
	if s, ok := any(settings).(interface{ Credentials() transport.Login }); ok {
		login = s.Credentials()
	}
	client, err := transport.New(transport.Config{
		AllowedCIDRs: cfg.AllowedCIDRs, Connection: settings.common().Connection, Login: login, Patience: patience,
	})
	if err := cmp.Or(settings.Check(), err); err != nil {
		return Sender[S]{}, err
	}
	return Sender[S]{Settings: settings, Words: wording.New(cfg.Templates), Client: client}, nil
}

// Close closes the connections that are kept.
func (s Sender[S]) Close() { s.Client.Close() }
