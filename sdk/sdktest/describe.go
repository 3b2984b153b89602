package sdktest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"bellcrank.example/sdk"
)

var (
	typeName    = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	settingName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	version     = regexp.MustCompile(`^\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$`)
)

// complaints lists what is wrong with an adapter's description of itself.
func complaints(a sdk.Adapter) []string {
	info := a.Describe()
	var list []string
	complain := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if !reflect.DeepEqual(info, a.Describe()) {
		complain("Describe gives two different answers")
	}
	if !typeName.MatchString(info.Type) {
		complain("Info.Type is %q: want lower case letters, digits and hyphens", info.Type)
	}
	if !version.MatchString(info.Version) {
		complain("Info.Version is %q: want a semantic version", info.Version)
	}
	if info.Name == "" || info.Summary == "" {
		complain("Info.Name or Info.Summary is empty")
	}
	if !strings.Contains(info.Setup, "{{url}}") {
		complain("Info.Setup doesn't say where {{url}} goes")
	}
	if len(info.Samples) == 0 {
		complain("Info.Samples is empty: the test button has nothing to send")
	}
	seen := map[string]bool{}
	for _, s := range info.Settings {
		if seen[s.Name] {
			complain("setting %s is there twice", s.Name)
		}
		seen[s.Name] = true
		if complaint := settingComplaint(s); complaint != "" {
			complain("setting %s %s", s.Name, complaint)
		}
	}
	return list
}

// settingComplaint says what is wrong with a setting; nothing if empty.
func settingComplaint(s sdk.Setting) string {
	var value any
	switch {
	case !settingName.MatchString(s.Name):
		return "has a name that isn't lower case with underscores"
	case s.Doc == "":
		return "has no doc"
	case s.Required && s.Default != nil:
		return "is required and has a default"
	case len(s.Enum) > 0 && s.Type != sdk.TypeString:
		return "lists values but is no string"
	case s.Default == nil:
		return ""
	case json.Unmarshal(s.Default, &value) != nil || !isOf(s.Type, value):
		return fmt.Sprintf("is a %s, but its default is %s", s.Type, s.Default)
	}
	if word, ok := value.(string); ok && len(s.Enum) > 0 && !slices.Contains(s.Enum, word) {
		return fmt.Sprintf("has the default %q, which it doesn't allow", word)
	}
	return ""
}

// isOf reports whether a decoded JSON value is of a setting's type.
func isOf(kind sdk.SettingType, value any) bool {
	isString := func(v any) bool { _, ok := v.(string); return ok }
	switch v := value.(type) {
	case string:
		return kind == sdk.TypeString
	case bool:
		return kind == sdk.TypeBool
	case float64:
		return kind == sdk.TypeNumber
	case []any:
		return kind == sdk.TypeList && !slices.ContainsFunc(v, func(e any) bool { return !isString(e) })
	case map[string]any:
		for _, e := range v {
			if !isString(e) {
				return false
			}
		}
		return kind == sdk.TypeMap
	}
	return false
}
