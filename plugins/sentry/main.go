// Command sentry adapts the webhooks of Sentry's integration platform, and
// those of its older WebHooks plugin.
package main

import "bellcrank.example/sdk/serve"

func main() { serve.Adapter(adapter{}) }
