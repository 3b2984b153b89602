// Command notifier delivers incident changes by the notifiers of Prometheus
// Alertmanager, for those vendors whom the gateway doesn't know itself. Each is
// a destination type of its own; which one the program is, its file's name
// says. `notifier -types` lists the names, so that a build can give them to it:
// as links, since it is one program.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"bellcrank.example/sdk/serve"
)

// types are the destination types, in order of name.
func types() []destination {
	return []destination{incidentio(), jira(), pushover(), rocketchat(), victorops(), webex(), wechat()}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-types" {
		fmt.Println(strings.Join(names(), "\n"))
		return
	}
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	for _, d := range types() {
		if d.info.Type == name {
			serve.Destination(d)
			return
		}
	}
	fmt.Fprintf(os.Stderr, "%s is no type of destination: name this file after one of %s\n", name, strings.Join(names(), ", "))
	os.Exit(2)
}

func names() []string {
	var names []string
	for _, d := range types() {
		names = append(names, d.info.Type)
	}
	return names
}
