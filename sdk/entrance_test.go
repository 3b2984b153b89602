package sdk

import (
	"maps"
	"testing"
)

func TestEntranceMatchesItsPath(t *testing.T) {
	const closing = "/v2/alerts/{identifier}/close"
	tests := map[string]struct {
		entrance, path string
		want           map[string]string
		ok             bool
	}{
		"itself":                    {"/v2/enqueue", "/v2/enqueue", nil, true},
		"a slash at the end":        {"/v2/enqueue", "/v2/enqueue/", nil, true},
		"longer":                    {"/v2/enqueue", "/v2/enqueue/x", nil, false},
		"shorter":                   {"/v2/enqueue", "/v2", nil, false},
		"another case":              {"/v2/enqueue", "/V2/enqueue", nil, false},
		"a name":                    {closing, "/v2/alerts/disk/close", map[string]string{"identifier": "disk"}, true},
		"a name with a slash in it": {closing, "/v2/alerts/host%2Fdisk%20full/close", map[string]string{"identifier": "host/disk full"}, true},
		"a slash that isn't one":    {closing, "/v2/alerts/host/disk/close", nil, false},
		"no name":                   {closing, "/v2/alerts//close", nil, false},
		"a broken escape":           {closing, "/v2/alerts/%zz/close", nil, false},
		"another verb":              {closing, "/v2/alerts/disk/acknowledge", nil, false},
		"braces are no name":        {"/{}", "/x", nil, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := Entrance{Path: tt.entrance}.Match(tt.path)
			if ok != tt.ok || ok && !maps.Equal(got, tt.want) {
				t.Errorf("Match(%q) = %v, %v; want %v, %v", tt.path, got, ok, tt.want, tt.ok)
			}
		})
	}
}
