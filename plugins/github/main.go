// Command github adapts the webhooks of GitHub: failed workflows, check suites
// and deployments, and the alerts of Dependabot, code and secret scanning.
package main

import "bellcrank.example/sdk/serve"

func main() { serve.Adapter(adapter{}) }
