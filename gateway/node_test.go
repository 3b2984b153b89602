//go:build node

package main

import "testing"

func TestNodeExamplePassesTheKit(t *testing.T) {
	f := &foreign{t: t, folder: "adapter-node", kind: "duplicati"}
	f.passesTheKit()
}

func TestNodeExampleTakesTrafficBesideGo(t *testing.T) {
	f := &foreign{t: t, folder: "adapter-node", kind: "duplicati"}
	f.takesTraffic("backup_firing", "backup_resolved")
}
