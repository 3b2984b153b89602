// Command bellcrank is the alert adapter gateway: the server and the commands
// that operate it.
package main

import (
	"os"

	"bellcrank.example/gateway/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
