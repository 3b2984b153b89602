//go:build node

package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestNodeExamplePassesTheKit(t *testing.T) {
	f := &foreign{t: t, folder: "adapter-node", kind: "duplicati"}
	f.passesTheKit()
}

func TestNodeExampleTakesTrafficBesideGo(t *testing.T) {
	f := &foreign{t: t, folder: "adapter-node", kind: "duplicati"}
	f.takesTraffic("backup_firing", "backup_resolved")
}

func TestNodePluginsThatAreBegunPassTheKit(t *testing.T) {
	modules, err := filepath.Abs("../examples/adapter-node/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	begunPluginsPassTheKit(t, "node", func(folder string) error {
		return os.Symlink(modules, filepath.Join(folder, "node_modules")) // the same as npm would get
	})
}
