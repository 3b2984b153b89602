// Package bellcrank is the module's own description: what a plugin that is
// built outside of it has to require.
package bellcrank

import _ "embed"

var (
	// GoMod is the module's go.mod.
	//
	//go:embed go.mod
	GoMod []byte
	// GoSum is its go.sum.
	//
	//go:embed go.sum
	GoSum []byte
)
