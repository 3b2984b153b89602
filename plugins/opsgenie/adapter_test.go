package main

import (
	"net/url"
	"testing"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/sdktest"
)

func TestAdapter(t *testing.T) { sdktest.Run(t, adapter{}) }

func FuzzAdapter(f *testing.F) { sdktest.Fuzz(f, adapter{}) }

func FuzzPath(f *testing.F) {
	f.Add("POST", "v2/alerts/a%2Fb/close", "alias")
	f.Add("DELETE", "v2/alerts/%ff", "")
	f.Add("PUT", "x/alerts/alerts/alerts", "tiny")
	f.Fuzz(func(t *testing.T, method, path, kind string) {
		r := sdk.Request{ID: "1", Method: method, Path: path, Query: url.Values{"identifierType": {kind}}, Body: []byte(`{"message":"x"}`)}
		result, err := adapter{}.Adapt(t.Context(), r)
		if err == nil && len(result.Events) == 0 && result.Ignored == "" {
			t.Errorf("%s %s is an empty success", method, path)
		}
	})
}

// An alert is closed by its alias, however that is written in a path, and one
// without an alias by the id that its client was told.
func TestCloseFindsItsAlert(t *testing.T) {
	key := func(method, path, query, body string) string {
		t.Helper()
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		result, err := adapter{}.Adapt(t.Context(), sdk.Request{ID: "06receipt", Method: method, Path: path, Query: values, Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		return result.Events[0].DedupKey
	}
	for name, tt := range map[string]struct{ opened, closed string }{
		"by its alias":             {key("POST", "v2/alerts", "", `{"message":"x","alias":"host/disk full"}`), key("POST", "v2/alerts/host%2Fdisk%20full/close", "identifierType=alias", `{}`)},
		"by the id of the request": {key("POST", "v2/alerts", "", `{"message":"x"}`), key("POST", "v2/alerts/06receipt/close", "", ``)},
		"by being deleted":         {key("POST", "v2/alerts", "", `{"message":"x","alias":"a"}`), key("DELETE", "v2/alerts/a", "identifierType=alias", ``)},
		"at the address of Jira":   {key("POST", "jsm/ops/integration/v2/alerts", "", `{"message":"x","alias":"a"}`), key("POST", "jsm/ops/integration/v2/alerts/a/close", "", `{}`)},
	} {
		if tt.opened != tt.closed {
			t.Errorf("%s: opened %q, closed %q", name, tt.opened, tt.closed)
		}
	}
}
