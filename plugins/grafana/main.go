// Command grafana adapts the webhooks of Grafana's alerting, those of before
// version 9 too.
package main

import "bellcrank.example/sdk/serve"

func main() { serve.Adapter(adapter{}) }
