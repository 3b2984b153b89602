// Command custom adapts webhooks that people and scripts write themselves: the
// flat object that the README shows, one or a list of them.
package main

import "bellcrank.example/sdk/serve"

func main() { serve.Adapter(newAdapter()) }
