// Command ntfy tells phones of incidents by ntfy (https://ntfy.sh), a small
// service for push notifications that many run themselves: an example of a
// destination that the gateway doesn't have.
package main

import "bellcrank.example/sdk/serve"

func main() { serve.Destination(ntfy{}) }
