package sdk

import (
	"net/http"
	"testing"
	"time"
)

func TestWhatAnAnswerMeans(t *testing.T) {
	tests := map[string]struct {
		status int
		after  string
		want   Outcome
	}{
		"taken":             {204, "", Outcome{Class: Delivered}},
		"wait a little":     {429, "30", Outcome{Class: Retry, RetryAfter: 30 * time.Second, Message: "429 Too Many Requests"}},
		"wait, in words":    {503, "soon", Outcome{Class: Retry, Message: "503 Service Unavailable"}},
		"broken":            {500, "", Outcome{Class: Retry, Message: "500 Internal Server Error"}},
		"no longer allowed": {403, "", Outcome{Class: Retry, Message: "403 Forbidden"}},
		"elsewhere":         {302, "", Outcome{Class: Retry, Message: "302 Found"}},
		"not to its taste":  {422, "", Outcome{Class: Refused, Message: "422 Unprocessable Entity"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Ended(HTTPAnswer{Status: tt.status, Header: http.Header{"Retry-After": {tt.after}}}).Outcome
			if got == nil || *got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
