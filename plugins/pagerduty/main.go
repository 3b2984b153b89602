// Command pagerduty adapts events that clients of PagerDuty's Events API send,
// once they are pointed here.
package main

import "bellcrank.example/sdk/serve"

func main() { serve.Adapter(adapter{}) }
