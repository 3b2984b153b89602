package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Setting is one member of an integration's settings.
type Setting struct {
	Name     string          `json:"name"` // lower case with underscores
	Type     SettingType     `json:"type"`
	Default  json.RawMessage `json:"default,omitempty"` // absent: the type's zero value
	Required bool            `json:"required,omitempty"`
	Secret   bool            `json:"secret,omitempty"`   // never shown again
	Enum     []string        `json:"enum,omitempty"`     // allowed values of a string
	Doc      string          `json:"doc,omitempty"`      // one sentence
	Reads    []string        `json:"reads,omitempty"`    // variables that an expression may read
	Gives    SettingType     `json:"gives,omitempty"`    // what an expression gives; anything if empty
	Settings []Setting       `json:"settings,omitempty"` // of each of the blocks
}

// SettingType is the type of a setting's value.
type SettingType string

// The types.
const (
	TypeString SettingType = "string"
	TypeBool   SettingType = "bool"
	TypeNumber SettingType = "number"
	TypeList   SettingType = "list" // of strings
	TypeMap    SettingType = "map"  // of strings
	// TypeTemplate is a text over the incident that the gateway renders for
	// each message. Only destinations have such.
	TypeTemplate SettingType = "template"
	// TypeExpression is an Expression, checked when the configuration is
	// loaded and evaluated by the adapter with package expr.
	TypeExpression SettingType = "expression"
	// TypeBlocks is a list of blocks with a label each, which have settings of
	// their own. They travel as objects whose member "name" is the label.
	TypeBlocks SettingType = "blocks"
	// TypeSeverity is what an expression gives if it is a word that SeverityOf
	// knows.
	TypeSeverity SettingType = "severity"
	// TypeKey is what an expression gives if it is text that tells problems
	// apart: a text that lacks one of its parts is none.
	TypeKey SettingType = "key"
)

// Expression is a setting that an operator wrote as an expression. It travels
// as it stands in the configuration, with its place for messages.
type Expression struct {
	Source string `json:"source"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`   // from 1
	Column int    `json:"column,omitempty"` // from 1
	// Template means that Source is the inside of a quoted text, as it is in
	// JSON files.
	Template bool `json:"template,omitempty"`
	// Locals holds the values of the configuration's locals that it reads.
	Locals map[string]json.RawMessage `json:"locals,omitempty"`
}

// requestVariables are what an expression reads of a request if its setting
// doesn't say.
func requestVariables() []string { return []string{"body", "headers", "method", "path", "query"} }

// SettingsOf makes a schema from a struct's exported fields: strings, bools,
// integers and floats, []string, map[string]string, *Expression, and slices of
// structs for blocks, whose field with the tag label is a string. The tags are
//
//	json:"name"        required: the setting's name
//	default:"value"    as JSON, or a plain word for a string
//	enum:"a,b,c"       allowed values
//	doc:"one sentence"
//	required:"true"    secret:"true"
//	type:"template"    of a string that is a TypeTemplate
//	reads:"body,query" what an expression may read; all of a request if absent
//	gives:"bool"       what an expression gives
//	label:"true"       the label of a block
//
// The fields of an embedded struct count as the struct's own. It panics on a
// struct that it can't describe: that is a bug in the adapter, which its first
// test finds.
func SettingsOf[T any]() []Setting {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("sdk.SettingsOf: %v is not a struct", t))
	}
	return settingsOf(t)
}

func settingsOf(t reflect.Type) []Setting {
	var settings []Setting
	for field := range t.Fields() {
		switch {
		case field.Anonymous && field.Type.Kind() == reflect.Struct:
			settings = append(settings, settingsOf(field.Type)...)
		case field.IsExported() && field.Tag.Get("label") != "true":
			settings = append(settings, settingOf(field))
		}
	}
	return settings
}

func settingOf(field reflect.StructField) Setting {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	if name == "" {
		panic(fmt.Sprintf("sdk.SettingsOf: field %s has no json tag", field.Name))
	}
	s := Setting{
		Name:     name,
		Doc:      field.Tag.Get("doc"),
		Required: field.Tag.Get("required") == "true",
		Secret:   field.Tag.Get("secret") == "true",
	}
	if enum := field.Tag.Get("enum"); enum != "" {
		s.Enum = strings.Split(enum, ",")
	}
	switch kind := field.Type.Kind(); {
	case kind == reflect.String && field.Tag.Get("type") == string(TypeTemplate):
		s.Type = TypeTemplate
	case kind == reflect.String:
		s.Type = TypeString
	case kind == reflect.Bool:
		s.Type = TypeBool
	case kind >= reflect.Int && kind <= reflect.Float64:
		s.Type = TypeNumber
	case field.Type == reflect.TypeFor[[]string]():
		s.Type = TypeList
	case field.Type == reflect.TypeFor[map[string]string]():
		s.Type = TypeMap
	case field.Type == reflect.TypeFor[*Expression]():
		s.Type, s.Reads, s.Gives = TypeExpression, requestVariables(), SettingType(field.Tag.Get("gives"))
		if reads := field.Tag.Get("reads"); reads != "" {
			s.Reads = strings.Split(reads, ",")
		}
	case kind == reflect.Slice && field.Type.Elem().Kind() == reflect.Struct:
		s.Type, s.Settings = TypeBlocks, settingsOf(field.Type.Elem())
	default:
		panic(fmt.Sprintf("sdk.SettingsOf: field %s has unsupported type %v", field.Name, field.Type))
	}
	if value, ok := field.Tag.Lookup("default"); ok {
		s.Default = json.RawMessage(value)
		if s.Type == TypeString && !json.Valid(s.Default) {
			s.Default, _ = json.Marshal(value)
		}
		if !json.Valid(s.Default) {
			panic(fmt.Sprintf("sdk.SettingsOf: default of field %s is not JSON: %s", field.Name, value))
		}
	}
	return s
}

// Settings decodes a request's settings into T, over the defaults of T's
// tags. The gateway has validated them, so an error means that gateway and
// adapter disagree about the schema.
func Settings[T any](r Request) (T, error) { return DecodeSettings[T](r.Settings) }

// DecodeSettings is Settings for an object that is in no request. An empty one
// gives the defaults.
func DecodeSettings[T any](object json.RawMessage) (T, error) {
	var settings T
	defaults, err := defaultsOf[T]()
	if err != nil {
		return settings, fmt.Errorf("encode default settings: %w", err)
	}
	if err := json.Unmarshal(defaults, &settings); err != nil {
		return settings, fmt.Errorf("decode default settings: %w", err)
	}
	if len(bytes.TrimSpace(object)) == 0 {
		return settings, nil
	}
	if err := json.Unmarshal(object, &settings); err != nil {
		return settings, fmt.Errorf("decode settings: %w", err)
	}
	return settings, nil
}

// defaults holds the default settings of each type, as JSON: each request asks
// for them.
var defaults sync.Map

func defaultsOf[T any]() (json.RawMessage, error) {
	t := reflect.TypeFor[T]()
	if blob, ok := defaults.Load(t); ok {
		return blob.(json.RawMessage), nil
	}
	object := map[string]json.RawMessage{}
	for _, s := range SettingsOf[T]() {
		if s.Default != nil {
			object[s.Name] = s.Default
		}
	}
	encoded, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	blob := json.RawMessage(encoded)
	defaults.Store(t, blob)
	return blob, nil
}
