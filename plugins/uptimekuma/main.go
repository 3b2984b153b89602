// Command uptimekuma adapts the webhooks of Uptime Kuma.
package main

import "bellcrank.example/sdk/serve"

func main() { serve.Adapter(adapter{}) }
