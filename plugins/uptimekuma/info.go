package main

import (
	"encoding/json"
	"net/http"

	"bellcrank.example/sdk"
)

// Describe says what the adapter is. Uptime Kuma signs nothing, but it can
// send headers of the operator's choice.
func (adapter) Describe() sdk.Info {
	return sdk.Info{
		Type: "uptimekuma", Name: "Uptime Kuma", Version: "1.0.0",
		Summary: "Monitors of Uptime Kuma that go down and come back, and certificates that expire.",
		DocsURL: "https://github.com/louislam/uptime-kuma/wiki/Notification-Methods",
		Sender:  sdk.Machine,
		Methods: []string{http.MethodPost, http.MethodPut, http.MethodGet},
		Headers: []string{"Content-Type"},
		Signatures: []sdk.SignatureScheme{
			{Name: "bearer", Kind: sdk.SchemeBearer, Optional: true},
			{Name: "basic", Kind: sdk.SchemeBasic, Optional: true},
		},
		Reads: sdk.PathsOf[notification](),
		Samples: []sdk.Sample{
			sample("a monitor is down", `{"monitorID":7,"status":0,"time":"2026-03-01 12:00:00.000","msg":"connect ECONNREFUSED","important":true}`,
				`"[Checkout] [🔴 Down] connect ECONNREFUSED"`),
			sample("the monitor is up again", `{"monitorID":7,"status":1,"time":"2026-03-01 12:05:00.000","msg":"200 - OK","ping":41,"important":true}`,
				`"[Checkout] [✅ Up] 200 - OK"`),
		},
		Setup: "Settings → Notifications → Setup Notification: type Webhook, Post URL `{{url}}`, method POST, body " +
			"`Preset - application/json`. Enable it on each monitor, or by default. Under Additional Headers you may send " +
			"`{\"Authorization\": \"Bearer SECRET\"}` and give the secret to the integration as a signing secret.\n\n" +
			"A tag `severity` or `priority` of a monitor is its severity, a tag `service` its service. What expires has no " +
			"end that Uptime Kuma would tell of: resolve it by hand.\n",
	}
}

func sample(name, heartbeat, msg string) sdk.Sample {
	return sdk.Sample{
		Name: name, Header: http.Header{"Content-Type": {"application/json"}},
		Body: json.RawMessage(`{"heartbeat":` + heartbeat + `,"monitor":{"id":7,"name":"Checkout","url":"https://shop.example/health",` +
			`"type":"http","tags":[{"name":"severity","value":"high"},{"name":"service","value":"checkout"}]},"msg":` + msg + `}`),
	}
}
