// Command alertmanager adapts the webhooks of Prometheus Alertmanager, and
// those of Grafana's own alerting, which extend the same shape.
package main

import "bellcrank.example/sdk/serve"

func main() { serve.Adapter(adapter{}) }
