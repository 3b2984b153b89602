package main

import (
	"encoding/json"
	"net/http"

	"bellcrank.example/sdk"
)

// Describe says what the adapter is. GitHub never repeats a delivery by
// itself; one that somebody sends again has the id of the first.
func (adapter) Describe() sdk.Info {
	return sdk.Info{
		Type: "github", Name: "GitHub", Version: "1.0.0",
		Summary:    "Failed workflows, check suites and deployments, and alerts of Dependabot, code and secret scanning.",
		DocsURL:    "https://docs.github.com/en/webhooks/webhook-events-and-payloads",
		Sender:     sdk.Machine,
		EventTime:  sdk.Arrival,
		Headers:    []string{headerEvent, "Content-Type"},
		DeliveryID: &sdk.DeliveryID{Header: "X-GitHub-Delivery"},
		Signatures: []sdk.SignatureScheme{{
			Name: "hmac", Kind: sdk.SchemeHMAC, Algorithm: "sha256",
			Header: "X-Hub-Signature-256", Prefix: "sha256=", Encoding: "hex",
		}},
		Limits:   sdk.Limits{Body: 25 << 20}, // GitHub sends up to 25 MB
		Settings: sdk.SettingsOf[settings](),
		Reads:    sdk.PathsOf[hook](),
		Samples: []sdk.Sample{
			sample("a workflow failed", "workflow_run", workflowSample("failure")),
			sample("the workflow succeeded", "workflow_run", workflowSample("success")),
			sample("a Dependabot alert", "dependabot_alert", dependabotSample),
			sample("a code scanning alert", "code_scanning_alert", codeScanningSample),
			sample("a secret scanning alert", "secret_scanning_alert", secretScanningSample),
			sample("a deployment failed", "deployment_status", deploymentSample),
		},
		Setup: "Settings → Webhooks → Add webhook, of a repository or an organisation: payload URL `{{url}}`, content type " +
			"`application/json`, and a secret of your making, which is the integration's signing secret. Choose single events: " +
			"Workflow runs, Check suites, Deployment statuses, Dependabot alerts, Code scanning alerts, Secret scanning alerts.\n\n" +
			"A failed workflow lasts until the workflow succeeds on the same branch. With `settings { branches = [\"main\", " +
			"\"release/*\"] }` other branches don't count.\n",
	}
}

func sample(name, event, body string) sdk.Sample {
	return sdk.Sample{
		Name:   name,
		Header: http.Header{headerEvent: {event}, "Content-Type": {"application/json"}},
		Body:   json.RawMessage(`{` + body + `,` + sampleRepository + `}`),
	}
}

func workflowSample(conclusion string) string {
	return `"action":"completed","workflow":{"id":4711,"name":"build","path":".github/workflows/build.yml"},` +
		`"workflow_run":{"id":90210,"name":"build","display_title":"Bump the parser","event":"push","run_number":12,"run_attempt":1,` +
		`"conclusion":"` + conclusion + `","head_branch":"main","head_sha":"0f1e2d3c4b5a69788796a5b4c3d2e1f001234567",` +
		`"head_repository":{"id":1001,"full_name":"acme/shop"},"html_url":"https://github.com/acme/shop/actions/runs/90210",` +
		`"updated_at":"2026-03-01T12:00:00Z"}`
}

const (
	sampleRepository = `"repository":{"id":1001,"name":"shop","full_name":"acme/shop","html_url":"https://github.com/acme/shop"},` +
		`"organization":{"login":"acme"},"sender":{"login":"octocat"}`

	dependabotSample = `"action":"created","alert":{"number":3,"state":"open","dependency":{"package":{"ecosystem":"npm","name":"left-pad"},` +
		`"manifest_path":"package-lock.json","scope":"runtime"},"security_advisory":{"ghsa_id":"GHSA-0000-0000-0000","cve_id":"CVE-2026-0001",` +
		`"summary":"left-pad pads without end","description":"A long pad exhausts memory.","severity":"high"},` +
		`"security_vulnerability":{"severity":"high","vulnerable_version_range":"< 2.0.0"},` +
		`"html_url":"https://github.com/acme/shop/security/dependabot/3","created_at":"2026-03-01T12:00:00Z"}`

	codeScanningSample = `"action":"created","alert":{"number":9,"state":"open","rule":{"id":"go/sql-injection","severity":"error",` +
		`"security_severity_level":"critical","description":"Query built from user input"},"tool":{"name":"CodeQL"},` +
		`"most_recent_instance":{"ref":"refs/heads/main","location":{"path":"orders/query.go","start_line":42}},` +
		`"html_url":"https://github.com/acme/shop/security/code-scanning/9","created_at":"2026-03-01T12:00:00Z"}`

	secretScanningSample = `"action":"created","alert":{"number":5,"secret_type":"cloud_api_key","secret_type_display_name":"Cloud API Key",` +
		`"validity":"active","html_url":"https://github.com/acme/shop/security/secret-scanning/5","created_at":"2026-03-01T12:00:00Z"}`

	deploymentSample = `"action":"created","deployment":{"environment":"production","task":"deploy","ref":"main"},` +
		`"deployment_status":{"state":"failure","description":"Health check failed","log_url":"https://github.com/acme/shop/actions/runs/90211",` +
		`"updated_at":"2026-03-01T12:00:00Z"}`
)
