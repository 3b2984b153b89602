// Package bellcrank is the module's own description: what a plugin that is
// built outside of it has to require.
package bellcrank

import "embed"

var (
	// GoMod is the module's go.mod.
	//
	//go:embed go.mod
	GoMod []byte
	// GoSum is its go.sum.
	//
	//go:embed go.sum
	GoSum []byte

	// Examples are those parts of the examples with which plugins in other
	// languages begin.
	//
	//go:embed examples/adapter-node/bellcrank.js examples/adapter-node/package.json examples/adapter-node/package-lock.json
	//go:embed examples/adapter-python/bellcrank.py examples/adapter-python/adapter.desc
	Examples embed.FS
)
