// Command opsgenie adapts what clients of Opsgenie's Alert API send, once they
// are pointed here.
package main

import "bellcrank.example/sdk/serve"

func main() { serve.Adapter(adapter{}) }
