package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/expr"
)

// settings reads a settings block by the schema that a plugin or a destination
// type declares, into a JSON object of what is set. It reports false if there
// are mistakes.
func (l *loader) settings(b *block, inner *hcl.Block, schema []sdk.Setting) (json.RawMessage, bool) {
	return (&settingsReader{loader: l}).read(b, inner, schema)
}

// settingsReader reads settings, and notes what their expressions need.
type settingsReader struct {
	*loader
	headers []string // of requests, that are read
	mapped  bool     // there are expressions
}

func (r *settingsReader) read(b *block, inner *hcl.Block, schema []sdk.Setting) (json.RawMessage, bool) {
	at, body := b.at, hcl.EmptyBody()
	if inner != nil {
		at, body = inner.DefRange, inner.Body
	}
	set, ok := r.object(body, at, schema)
	if !ok {
		return nil, false
	}
	encoded, err := json.Marshal(set)
	if err != nil {
		r.errorf(&at, "Invalid settings", "%v.", err)
		return nil, false
	}
	return encoded, true
}

// object reads one block.
func (r *settingsReader) object(body hcl.Body, at hcl.Range, schema []sdk.Setting) (map[string]json.RawMessage, bool) {
	blocks, rest, diags := body.PartialContent(blocksOf(schema))
	r.note(diags)
	attributes, _ := rest.JustAttributes() // the decoder complains of anything else
	if !r.checkSettings(attributes, schema) {
		return nil, false
	}
	v, moreDiags := hcldec.Decode(rest, settingsSpec(schema), r.context(at.Filename))
	for _, d := range moreDiags {
		if d.Subject == nil || d.Subject.Filename == "" {
			d.Subject = &at
		}
	}
	r.note(moreDiags)
	set := map[string]json.RawMessage{}
	ok := r.expressions(attributes, schema, set)
	ok = r.blocks(blocks.Blocks, schema, set) && ok
	if !r.checkEnums(v, attributes, schema) || diags.HasErrors() || moreDiags.HasErrors() || !ok || !v.IsWhollyKnown() {
		return nil, false
	}
	if err := encodeSettings(v, schema, set); err != nil {
		r.errorf(&at, "Invalid settings", "%v.", err)
		return nil, false
	}
	return set, true
}

// blocksOf returns those settings that are blocks, in HCL's words.
func blocksOf(schema []sdk.Setting) *hcl.BodySchema {
	blocks := &hcl.BodySchema{}
	for _, s := range schema {
		if s.Type == sdk.TypeBlocks {
			blocks.Blocks = append(blocks.Blocks, hcl.BlockHeaderSchema{Type: s.Name, LabelNames: []string{"name"}})
		}
	}
	return blocks
}

// blocks reads the inner blocks into lists of objects.
func (r *settingsReader) blocks(inner hcl.Blocks, schema []sdk.Setting, set map[string]json.RawMessage) bool {
	lists := map[string][]map[string]json.RawMessage{}
	before := map[string]hcl.Range{}
	ok := true
	for _, b := range inner {
		name := b.Type + " " + b.Labels[0]
		if there, twice := before[name]; twice {
			r.duplicate(b.DefRange, name, there)
			ok = false
		}
		before[name] = b.DefRange
		i := slices.IndexFunc(schema, func(s sdk.Setting) bool { return s.Name == b.Type })
		object, good := r.object(b.Body, b.DefRange, schema[i].Settings)
		if !good {
			ok = false
			continue
		}
		object["name"], _ = json.Marshal(b.Labels[0]) // text can always be encoded
		lists[b.Type] = append(lists[b.Type], object)
	}
	for name, list := range lists {
		set[name], _ = json.Marshal(list)
	}
	return ok
}

// expressions compiles those settings that are expressions.
func (r *settingsReader) expressions(attributes hcl.Attributes, schema []sdk.Setting, set map[string]json.RawMessage) bool {
	ok := true
	for _, s := range schema {
		attr := attributes[s.Name]
		if s.Type != sdk.TypeExpression || attr == nil {
			continue
		}
		r.mapped = true
		program, e, good := r.expression(attr.Expr, expr.RulesOf(s))
		if !good {
			ok = false
			continue
		}
		headers, named := program.Reads("headers")
		if !named {
			r.errorf(attr.Expr.Range().Ptr(), "Headers without a name", "Name the header: headers[\"x-name\"]. Only those that are named are kept.")
			ok = false
		}
		r.headers = append(r.headers, headers...)
		set[s.Name], _ = json.Marshal(e) // text can always be encoded
	}
	return ok
}

// needs adds to what an adapter declares what the expressions need: the
// headers that they read. Who sends a shape that has to be mapped is a
// machine, which can't mend a request that is refused.
func (r *settingsReader) needs(info sdk.Info) sdk.Info {
	if r.mapped {
		info.Headers = slices.Concat(info.Headers, r.headers)
		info.Sender = sdk.Machine
	}
	return info
}

// settingsSpec returns the schema in HCL's words.
func settingsSpec(schema []sdk.Setting) hcldec.ObjectSpec {
	types := map[sdk.SettingType]cty.Type{
		sdk.TypeString: cty.String, sdk.TypeBool: cty.Bool, sdk.TypeNumber: cty.Number,
		sdk.TypeList: cty.List(cty.String), sdk.TypeMap: cty.Map(cty.String),
		sdk.TypeTemplate:   customdecode.ExpressionType, // compiled by templates
		sdk.TypeExpression: customdecode.ExpressionType, // compiled by expressions
	}
	spec := hcldec.ObjectSpec{}
	for _, s := range schema {
		if s.Type == sdk.TypeBlocks {
			continue
		}
		kind, ok := types[s.Type]
		if !ok {
			kind = cty.DynamicPseudoType // of a newer contract
		}
		spec[s.Name] = &hcldec.AttrSpec{Name: s.Name, Type: kind, Required: s.Required}
	}
	return spec
}

// lazy reports whether a setting is evaluated later, over what is sent.
func lazy(s sdk.Setting) bool { return s.Type == sdk.TypeTemplate || s.Type == sdk.TypeExpression }

// checkSettings follows the references in settings and hides their secrets.
func (l *loader) checkSettings(attributes hcl.Attributes, schema []sdk.Setting) bool {
	ok := true
	for _, s := range schema {
		attr := attributes[s.Name]
		if attr == nil || lazy(s) {
			continue
		}
		ok = l.checkReferences(attr.Expr) && ok
		// A URL is masked, since some carry a token, but is usually no secret;
		// nor are most values of a map of headers.
		if s.Secret && l.hide(attr.Expr) && !strings.HasSuffix(s.Name, "url") && s.Type != sdk.TypeMap {
			l.warnf(attr.Expr.Range().Ptr(), "Secret in the file",
				"Whoever can read the file can use it. Keep it elsewhere and write env(\"NAME\") or file(\"PATH\").")
		}
	}
	return ok
}

func (l *loader) checkEnums(v cty.Value, attributes hcl.Attributes, schema []sdk.Setting) bool {
	ok := true
	for _, s := range schema {
		if len(s.Enum) == 0 {
			continue
		}
		value := v.GetAttr(s.Name)
		if !value.IsKnown() || value.IsNull() || value.Type() != cty.String {
			continue
		}
		if err := among(value.AsString(), s.Enum); err != nil {
			if s.Secret {
				err = fmt.Errorf("want one of %s", strings.Join(s.Enum, ", "))
			}
			l.errorf(attributes[s.Name].Expr.Range().Ptr(), "Invalid "+s.Name, "%s.", sentence(err))
			ok = false
		}
	}
	return ok
}

// encodeSettings adds what is set and has a value now.
func encodeSettings(v cty.Value, schema []sdk.Setting, set map[string]json.RawMessage) error {
	for _, s := range schema {
		if lazy(s) || s.Type == sdk.TypeBlocks {
			continue
		}
		value := v.GetAttr(s.Name)
		if value.IsNull() {
			continue
		}
		if anyNull(value) {
			return fmt.Errorf("%s has an element that is null", s.Name)
		}
		encoded, err := ctyjson.Marshal(value, value.Type())
		if err != nil {
			return fmt.Errorf("encode settings: %w", err)
		}
		set[s.Name] = encoded
	}
	return nil
}
