package cli

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"bellcrank.example/gateway/config"
	"bellcrank.example/sdk"
)

// told is settings of every kind, as an adapter's author declares them.
type told struct {
	Greeting string            `json:"greeting" default:"say ${name} 100%{x}" doc:"What to say."`
	Mode     string            `json:"mode" default:"b" enum:"a,b" doc:"How."`
	Loud     bool              `json:"loud" default:"true" doc:"Whether loudly."`
	Times    int               `json:"times" default:"3" doc:"How often."`
	Ratio    float64           `json:"ratio" doc:"Of what."`
	Names    []string          `json:"names" default:"[\"x\", \"y\"]" doc:"Whom."`
	Words    map[string]string `json:"words" default:"{\"a b\": \"c\"}" doc:"Which."`
	Token    string            `json:"token" required:"true" secret:"true" doc:"With what."`
	Key      *sdk.Expression   `json:"key" reads:"body" doc:"What names it."`
	Rules    []rule            `json:"rule" doc:"Several."`
}

type rule struct {
	Name  string `json:"name" label:"true"`
	Level string `json:"level" default:"high" doc:"How bad."`
}

// TestASnippetIsAConfigurationOfTheDefaults goes the whole way of a setting:
// from the tags of a struct to a piece of configuration, through the loader,
// and back into the struct. It does so with the comments and without them.
func TestASnippetIsAConfigurationOfTheDefaults(t *testing.T) {
	info := sdk.Info{Type: "told", Settings: sdk.SettingsOf[told](), Signatures: []sdk.SignatureScheme{{Name: "s", Kind: sdk.SchemeSharedSecret, Header: "X-Secret"}}}
	snippet := snippetOf(info)
	for name, source := range map[string]string{
		"as printed": snippet,
		"in full":    regexp.MustCompile(`(?m)^( *)# (  )?(?:# )?(\w+ = .*|rule "NAME" \{|\})$`).ReplaceAllString(snippet, "$1$2$3"),
	} {
		t.Run(name, func(t *testing.T) {
			got := loadTold(t, info, source)
			want := told{
				Greeting: "say ${name} 100%{x}", Mode: "b", Loud: true, Times: 3,
				Names: []string{"x", "y"}, Words: map[string]string{"a b": "c"}, Token: "drawn",
			}
			if name == "in full" {
				want.Rules = []rule{{Name: "NAME", Level: "high"}}
				if got.Key == nil || got.Key.Source != "body.member" {
					t.Errorf("key = %+v, want body.member", got.Key)
				}
			}
			if got.Key = nil; len(got.Rules) == 0 {
				got.Rules = nil
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v\nfrom\n%s", got, want, source)
			}
		})
	}
}

// loadTold loads a configuration that has the piece, and decodes the settings
// as the adapter does.
func loadTold(t *testing.T, info sdk.Info, snippet string) told {
	t.Helper()
	file := filepath.Join(t.TempDir(), "told.hcl")
	if err := os.WriteFile(file, []byte(snippet+"destination \"log\" \"out\" {\n}\nroute \"all\" {\n  to = [destination.log.out]\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, diags := config.Load(config.Source{
		Paths: []string{file},
		Getenv: func(name string) (string, bool) {
			return map[bool]string{true: "drawn", false: strings.Repeat("k3y", 10)}[name == "TOKEN"], true
		},
		Describe: func(config.Plugin) (sdk.Info, bool) { return info, true },
	})
	if diags.HasErrors() || len(c.Integrations) != 1 {
		t.Fatalf("%+v\nof\n%s", diags.Problems(), snippet)
	}
	got, err := sdk.DecodeSettings[told](c.Integrations[0].Settings)
	if err != nil {
		t.Fatalf("decode %s: %v", c.Integrations[0].Settings, err)
	}
	return got
}
