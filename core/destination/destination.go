// Package destination is the list of destination types: what each is called,
// what its settings are and how a sender is made of them.
package destination

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/log"
	"bellcrank.example/core/destination/webhook"
	"bellcrank.example/sdk"
)

// Type is a kind of destination.
type Type struct {
	Name     string // as configuration writes it
	Summary  string // one sentence
	Settings []sdk.Setting
	// New makes a sender. An error says which setting is wrong and repeats no
	// secret.
	New func(Config) (core.Sender, error)
}

// Config is what a sender is made of.
type Config struct {
	// Settings is a JSON object, validated against Type.Settings, with secrets
	// in clear.
	Settings json.RawMessage
	// AllowedCIDRs are networks that a sender may reach although they aren't
	// public.
	AllowedCIDRs []netip.Prefix
	// Templates are those settings that are texts over the incident, by name,
	// as far as they are set.
	Templates map[string]core.Template
}

// Types lists the types in order of name.
func Types() []Type {
	return []Type{
		{
			Name:     "log",
			Summary:  "Appends a JSON line for each change to a file or standard output.",
			Settings: sdk.SettingsOf[log.Settings](),
			New: func(c Config) (core.Sender, error) {
				return log.New(c.Settings)
			},
		},
		{
			Name:     "webhook",
			Summary:  "Posts each change as JSON, signed as Standard Webhooks.",
			Settings: sdk.SettingsOf[webhook.Settings](),
			New: func(c Config) (core.Sender, error) {
				return webhook.New(webhook.Config{Settings: c.Settings, AllowedCIDRs: c.AllowedCIDRs})
			},
		},
	}
}

// Find returns the type of that name.
func Find(name string) (Type, error) {
	types := Types()
	if i := slices.IndexFunc(types, func(t Type) bool { return t.Name == name }); i >= 0 {
		return types[i], nil
	}
	return Type{}, fmt.Errorf("unknown destination type %q", name)
}
