// Command datadog adapts Datadog's webhooks: monitors, incidents and security
// signals, in the default payload, the recommended template or nearly any
// template that somebody wrote.
package main

import "bellcrank.example/sdk/serve"

func main() { serve.Adapter(adapter{}) }
