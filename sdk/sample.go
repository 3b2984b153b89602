package sdk

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// SampleOf makes a sample of a recorded case: the content of a request.json of
// the conformance kit, whose body is JSON. It panics on anything else: that is a
// bug in the adapter, which its first test finds.
func SampleOf(name string, requestJSON []byte) Sample {
	var recorded struct {
		Method  string            `json:"method"`
		Path    string            `json:"path"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	}
	if err := json.Unmarshal(requestJSON, &recorded); err != nil {
		panic(fmt.Sprintf("sdk.SampleOf %s: %v", name, err))
	}
	if len(recorded.Body) == 0 {
		panic(fmt.Sprintf("sdk.SampleOf %s: it has no JSON body", name))
	}
	sample := Sample{Name: name, Method: recorded.Method, Path: recorded.Path, Body: recorded.Body}
	for header, value := range recorded.Headers {
		if sample.Header == nil {
			sample.Header = http.Header{}
		}
		sample.Header.Set(header, value)
	}
	return sample
}
