package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
)

func TestParseSeverity(t *testing.T) {
	tests := map[string]struct {
		in      string
		want    Severity
		wantErr bool
	}{
		"empty stays empty":    {in: "", want: ""},
		"any case":             {in: "cRiTiCaL", want: Critical},
		"hyphen is required":   {in: "preemptive", wantErr: true},
		"space around is fine": {in: " Pre-Emptive ", want: PreEmptive},
		"vendor's word":        {in: "fatal", wantErr: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseSeverity(tt.in)
			if (err != nil) != tt.wantErr || got != tt.want {
				t.Errorf("ParseSeverity(%q) = %q, %v; want %q, error %v", tt.in, got, err, tt.want, tt.wantErr)
			}
		})
	}
}

func TestSeverityOfKnowsVendorsWords(t *testing.T) {
	tests := map[string]Severity{
		"P1": Critical, "page": Critical, "SEV0": Critical, "fatal": Critical, "1": Critical,
		"error": High, "sev-2": High, "major": High,
		"warning": Medium, "P3": Medium, "average": Medium,
		"info": Low, "notice": Low, "p4": Low,
		"debug": PreEmptive, "none": PreEmptive,
		"": "", "huge": "", "6": "",
	}
	for word, want := range tests {
		if got := SeverityOf(word); got != want {
			t.Errorf("SeverityOf(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestSeverityOrder(t *testing.T) {
	levels := append(Severities(), "")
	for i, s := range levels {
		for j, other := range levels {
			if got, want := s.Above(other), i < j; got != want {
				t.Errorf("%q.Above(%q) = %v, want %v", s, other, got, want)
			}
		}
	}
}

func TestFailureSaysWhoseFaultItIs(t *testing.T) {
	tests := map[FailureCode]bool{Malformed: true, Unsupported: true, TooLarge: true, Busy: false, Internal: false}
	for code, want := range tests {
		err := fmt.Errorf("wrapped: %w", &Failure{Code: code, Message: "x"})
		var f *Failure
		if !errors.As(err, &f) || f.RequestFault() != want {
			t.Errorf("%s: request's fault = %v, want %v", code, f.RequestFault(), want)
		}
	}
}

type testSettings struct {
	Site    string            `json:"site" default:"datadoghq.com" doc:"Where the account lives."`
	NoData  string            `json:"no_data" default:"trigger" enum:"trigger,ignore,resolve"`
	Tags    []string          `json:"tags" default:"[\"service\"]"`
	Names   map[string]string `json:"names"`
	Limit   int               `json:"limit" default:"3"`
	Strict  bool              `json:"strict"`
	Secret  string            `json:"token" secret:"true" required:"true"`
	ignored string            //nolint:unused // shows that unexported fields are no settings
}

func TestSettingsOfDescribesAStruct(t *testing.T) {
	want := []Setting{
		{Name: "site", Type: TypeString, Default: json.RawMessage(`"datadoghq.com"`), Doc: "Where the account lives."},
		{Name: "no_data", Type: TypeString, Default: json.RawMessage(`"trigger"`), Enum: []string{"trigger", "ignore", "resolve"}},
		{Name: "tags", Type: TypeList, Default: json.RawMessage(`["service"]`)},
		{Name: "names", Type: TypeMap},
		{Name: "limit", Type: TypeNumber, Default: json.RawMessage(`3`)},
		{Name: "strict", Type: TypeBool},
		{Name: "token", Type: TypeString, Secret: true, Required: true},
	}
	if got := SettingsOf[testSettings](); !reflect.DeepEqual(got, want) {
		t.Errorf("SettingsOf = %+v\nwant %+v", got, want)
	}
}

func TestSettingsOfTakesEmbeddedFieldsAndTemplates(t *testing.T) {
	type Shared struct {
		Title string `json:"title" type:"template" doc:"One line."`
	}
	type settings struct {
		URL string `json:"url"`
		Shared
	}
	want := []Setting{{Name: "url", Type: TypeString}, {Name: "title", Type: TypeTemplate, Doc: "One line."}}
	if got := SettingsOf[settings](); !reflect.DeepEqual(got, want) {
		t.Errorf("SettingsOf = %+v\nwant %+v", got, want)
	}
}

func TestSettingsOfDescribesExpressionsAndBlocks(t *testing.T) {
	type rule struct {
		Name string      `json:"name" label:"true"`
		When *Expression `json:"when" gives:"bool" reads:"body" doc:"d"`
	}
	type expressions struct {
		Title *Expression `json:"title" gives:"string" required:"true"`
		Rules []rule      `json:"rule"`
	}
	want := []Setting{
		{Name: "title", Type: TypeExpression, Required: true, Gives: TypeString, Reads: []string{"body", "headers", "method", "path", "query"}},
		{Name: "rule", Type: TypeBlocks, Settings: []Setting{
			{Name: "when", Type: TypeExpression, Gives: TypeBool, Reads: []string{"body"}, Doc: "d"},
		}},
	}
	if got := SettingsOf[expressions](); !reflect.DeepEqual(got, want) {
		t.Errorf("SettingsOf = %+v\nwant %+v", got, want)
	}
	got, err := Settings[expressions](Request{Settings: json.RawMessage(
		`{"title":{"source":"body.x","file":"a.hcl","line":3,"column":5},"rule":[{"name":"r","when":{"source":"true"}}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	if e := got.Title; e.Source != "body.x" || e.File != "a.hcl" || e.Line != 3 || e.Column != 5 || got.Rules[0].Name != "r" || got.Rules[0].When.Source != "true" {
		t.Errorf("Settings = %+v", got)
	}
}

func TestSettingsFillsInDefaults(t *testing.T) {
	got, err := Settings[testSettings](Request{Settings: json.RawMessage(`{"no_data":"ignore","token":"s"}`)})
	if err != nil {
		t.Fatal(err)
	}
	want := testSettings{Site: "datadoghq.com", NoData: "ignore", Tags: []string{"service"}, Limit: 3, Secret: "s"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Settings = %+v, want %+v", got, want)
	}
}

func TestSettingsReportsWhatItCannotDecode(t *testing.T) {
	if _, err := Settings[testSettings](Request{Settings: json.RawMessage(`{"limit":"many"}`)}); err == nil {
		t.Error("Settings accepted a string for a number")
	}
}
