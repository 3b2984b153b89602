package sdk

import "embed"

// Source is the source of this module's contract with plugins: this package,
// those below it, and the protocol definition. `bellcrank plugin new` unpacks
// it beside a new plugin, as the module's name can't be fetched from anywhere.
// A program that doesn't name it doesn't carry it.
//
//go:embed *.go expr/*.go client/*.go serve/*.go sdktest/*.go internal/wire/*.go internal/wire/adapterv1/*.go internal/wire/destinationv1/*.go proto/adapter/v1/adapter.proto proto/destination/v1/destination.proto
var Source embed.FS
