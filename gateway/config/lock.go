package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"bellcrank.example/core/pluginhost"
	"bellcrank.example/sdk"
)

// Described returns a Source.Describe that looks into locks, the first that
// has the plugin wins. A nil lock has none.
func Described(locks ...*pluginhost.Lock) func(Plugin) (sdk.Info, bool) {
	return func(p Plugin) (sdk.Info, bool) {
		for _, l := range locks {
			if l == nil {
				continue
			}
			if entry, ok := l.Find(p.Type, p.Version); ok {
				return entry.Info, true
			}
		}
		return sdk.Info{}, false
	}
}

// ReadLock reads a lock file. One that doesn't exist locks nothing.
func ReadLock(path string) (*pluginhost.Lock, error) {
	src, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &pluginhost.Lock{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read lock file: %w", err)
	}
	return parseLock(src, path)
}

func parseLock(src []byte, path string) (*pluginhost.Lock, error) {
	file, diags := hclparse.NewParser().ParseHCL(src, path)
	if diags.HasErrors() {
		return nil, fmt.Errorf("read lock file: %w", diags)
	}
	content, diags := file.Body.Content(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "plugin", LabelNames: []string{"name"}}}})
	if diags.HasErrors() {
		return nil, fmt.Errorf("read lock file: %w", diags)
	}
	l := &pluginhost.Lock{}
	for _, block := range content.Blocks {
		entry, err := lockEntry(block)
		if err != nil {
			return nil, fmt.Errorf("read lock file: %s: %w", block.DefRange, err)
		}
		l.Plugins = append(l.Plugins, entry)
	}
	return l, nil
}

// lockArguments are the arguments of a lock file's block and their types. The
// declaration is a value of any type: it has the members of its JSON form.
var lockArguments = map[string]cty.Type{
	"type": cty.String, "version": cty.String, "contract": cty.Number, "sha256": cty.Map(cty.String),
	"declares": cty.DynamicPseudoType,
}

func lockEntry(block *hcl.Block) (pluginhost.LockEntry, error) {
	attributes, diags := block.Body.JustAttributes()
	if diags.HasErrors() {
		return pluginhost.LockEntry{}, diags
	}
	values := map[string]json.RawMessage{}
	for name, kind := range lockArguments {
		attr, ok := attributes[name]
		if !ok {
			return pluginhost.LockEntry{}, fmt.Errorf("%s is missing", name)
		}
		v, diags := attr.Expr.Value(nil)
		if diags.HasErrors() {
			return pluginhost.LockEntry{}, diags
		}
		v, err := convert.Convert(v, kind)
		if err != nil {
			return pluginhost.LockEntry{}, fmt.Errorf("%s: %w", name, err)
		}
		if values[name], err = ctyjson.Marshal(v, v.Type()); err != nil {
			return pluginhost.LockEntry{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	entry := pluginhost.LockEntry{Name: block.Labels[0]}
	for name, to := range map[string]any{
		"type": &entry.Type, "version": &entry.Version, "contract": &entry.Contract,
		"sha256": &entry.SHA256, "declares": &entry.Info,
	} {
		if err := json.Unmarshal(values[name], to); err != nil {
			return pluginhost.LockEntry{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return entry, nil
}

// FormatLock returns the source of a lock file.
func FormatLock(l *pluginhost.Lock) ([]byte, error) {
	file := hclwrite.NewEmptyFile()
	file.Body().AppendUnstructuredTokens(hclwrite.Tokens{{
		Type:  hclsyntax.TokenComment,
		Bytes: []byte("# Written by `bellcrank plugin lock`: what each plugin's executable must hash to,\n# and what it declares. Keep it beside the configuration.\n"),
	}})
	for _, entry := range l.Plugins {
		declares, err := toValue(entry.Info)
		if err != nil {
			return nil, fmt.Errorf("write lock file: plugin %s: %w", entry.Name, err)
		}
		file.Body().AppendNewline()
		body := file.Body().AppendNewBlock("plugin", []string{entry.Name}).Body()
		body.SetAttributeValue("type", cty.StringVal(entry.Type))
		body.SetAttributeValue("version", cty.StringVal(entry.Version))
		body.SetAttributeValue("contract", cty.NumberIntVal(int64(entry.Contract)))
		sums := map[string]cty.Value{}
		for platform, sum := range entry.SHA256 {
			sums[platform] = cty.StringVal(sum)
		}
		body.SetAttributeValue("sha256", cty.ObjectVal(sums))
		body.SetAttributeValue("declares", declares)
	}
	return hclwrite.Format(file.Bytes()), nil
}

// toValue converts what has a JSON form.
func toValue(v any) (cty.Value, error) {
	encoded, err := json.Marshal(v)
	if err != nil {
		return cty.NilVal, fmt.Errorf("encode: %w", err)
	}
	kind, err := ctyjson.ImpliedType(encoded)
	if err != nil {
		return cty.NilVal, fmt.Errorf("encode: %w", err)
	}
	return ctyjson.Unmarshal(encoded, kind)
}
