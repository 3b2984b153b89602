package config

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"bellcrank.example/sdk"
)

// settings reads a settings block by the schema that a plugin or a destination
// type declares, into a JSON object of what is set. It reports false if there
// are mistakes.
func (l *loader) settings(b *block, inner *hcl.Block, schema []sdk.Setting) (json.RawMessage, bool) {
	at, body := b.at, hcl.EmptyBody()
	if inner != nil {
		at, body = inner.DefRange, inner.Body
	}
	attributes, _ := body.JustAttributes() // the decoder complains of anything else
	if !l.checkSettings(attributes, schema) {
		return nil, false
	}
	v, diags := hcldec.Decode(body, settingsSpec(schema), l.context(at.Filename))
	for _, d := range diags {
		if d.Subject == nil || d.Subject.Filename == "" {
			d.Subject = &at
		}
	}
	l.note(diags)
	if !l.checkEnums(v, attributes, schema) || diags.HasErrors() || !v.IsWhollyKnown() {
		return nil, false
	}
	object, err := settingsJSON(v, schema)
	if err != nil {
		l.errorf(&at, "Invalid settings", "%v.", err)
		return nil, false
	}
	return object, true
}

// settingsSpec returns the schema in HCL's words.
func settingsSpec(schema []sdk.Setting) hcldec.ObjectSpec {
	types := map[sdk.SettingType]cty.Type{
		sdk.TypeString: cty.String, sdk.TypeBool: cty.Bool, sdk.TypeNumber: cty.Number,
		sdk.TypeList: cty.List(cty.String), sdk.TypeMap: cty.Map(cty.String),
		sdk.TypeTemplate: customdecode.ExpressionType, // compiled by templates
	}
	spec := hcldec.ObjectSpec{}
	for _, s := range schema {
		kind, ok := types[s.Type]
		if !ok {
			kind = cty.DynamicPseudoType // of a newer contract
		}
		spec[s.Name] = &hcldec.AttrSpec{Name: s.Name, Type: kind, Required: s.Required}
	}
	return spec
}

// checkSettings follows the references in settings and hides their secrets.
func (l *loader) checkSettings(attributes hcl.Attributes, schema []sdk.Setting) bool {
	ok := true
	for _, s := range schema {
		attr := attributes[s.Name]
		if attr == nil || s.Type == sdk.TypeTemplate {
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
		value := v.GetAttr(s.Name)
		if len(s.Enum) == 0 || !value.IsKnown() || value.IsNull() || value.Type() != cty.String {
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

// settingsJSON encodes what is set, in the order of the names.
func settingsJSON(v cty.Value, schema []sdk.Setting) (json.RawMessage, error) {
	set := map[string]cty.Value{}
	for _, s := range schema {
		value := v.GetAttr(s.Name)
		if value.IsNull() || s.Type == sdk.TypeTemplate {
			continue
		}
		if anyNull(value) {
			return nil, fmt.Errorf("%s has an element that is null", s.Name)
		}
		set[s.Name] = value
	}
	object := cty.ObjectVal(set)
	encoded, err := ctyjson.Marshal(object, object.Type())
	if err != nil {
		return nil, fmt.Errorf("encode settings: %w", err)
	}
	return encoded, nil
}
