package config

import "github.com/hashicorp/hcl/v2/hclwrite"

// Format returns the source of a configuration file in the usual layout.
// Source that can't be parsed is laid out as far as its tokens allow.
func Format(src []byte) []byte { return hclwrite.Format(src) }
