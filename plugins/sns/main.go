// Command sns adapts what Amazon SNS posts: CloudWatch alarms, and whatever
// else is published to a topic.
package main

import "bellcrank.example/sdk/serve"

func main() { serve.Adapter(adapter{}) }
