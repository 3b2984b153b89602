package alerts

import (
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/alertmanager/template"
)

// An upgrade of the module tells what new versions of Alertmanager send.
func TestEveryMemberThatAlertmanagerSendsIsRead(t *testing.T) {
	for theirs, ours := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[template.Data]():  reflect.TypeFor[payload](),
		reflect.TypeFor[template.Alert](): reflect.TypeFor[alert](),
	} {
		read := members(ours)
		for name := range members(theirs) {
			if !read[name] {
				t.Errorf("%v sends %s, which %v doesn't read", theirs, name, ours)
			}
		}
	}
}

// members returns the names of a struct's JSON members.
func members(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for field := range t.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names[name] = true
		}
	}
	return names
}

func TestIdentity(t *testing.T) {
	full := labels{"alertname": "TestAlert", "instance": "Grafana"}
	other := labels{"alertname": "TestAlert", "instance": "elsewhere"}
	const own = "57c6d9296de2ad39" // what Grafana and Alertmanager compute for these labels
	tests := map[string]struct {
		alert alert
		want  string
	}{
		"the fingerprint of the labels":  {alert{Labels: full, Fingerprint: own}, "fp:" + own},
		"none is computed":               {alert{Labels: full}, "fp:" + own},
		"another has the labels with it": {alert{Labels: other, Fingerprint: own}, "fp:" + own + "|" + hash(other)},
		"one without labels":             {alert{Fingerprint: "1"}, "fp:1"},
		"neither":                        {alert{}, "group:g#" + hash(nil, nil)},
	}
	p := payload{GroupKey: "g"}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, _ := p.identity(&tt.alert); got != tt.want {
				t.Errorf("identity = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestReceiversNameIsUnescaped(t *testing.T) {
	for escaped, want := range map[string]string{
		`team\.a/web\+oncall`: "team.a/web+oncall", "pager": "pager", `a\\b`: `a\b`, `a\`: `a\`, "": "",
	} {
		if got := unescape(escaped); got != want {
			t.Errorf("unescape(%q) = %q, want %q", escaped, got, want)
		}
	}
}
