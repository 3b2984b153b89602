package destination

import (
	"slices"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/plugged"
	"bellcrank.example/sdk"
)

// Plugged describes a type that a plugin brings along. Its senders reach the
// plugin through the port.
func Plugged(info sdk.Info, port *plugged.Port) Type {
	return Type{
		Name: info.Type, Summary: info.Summary, Settings: slices.Concat(info.Settings, plugged.Ours(info.Settings)),
		Memory: true, Plugged: true,
		New: func(c Config) (core.Sender, error) { return plugged.New(port, info.Settings, c) },
	}
}
