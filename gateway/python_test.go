//go:build python

package main

import "testing"

func TestPythonExamplePassesTheKit(t *testing.T) {
	f := &foreign{t: t, folder: "adapter-python", kind: "betterstack"}
	f.passesTheKit()
}

func TestPythonExampleTakesTrafficBesideGo(t *testing.T) {
	f := &foreign{t: t, folder: "adapter-python", kind: "betterstack"}
	f.takesTraffic("incident_firing", "incident_resolved")
}

func TestPythonPluginsThatAreBegunPassTheKit(t *testing.T) {
	begunPluginsPassTheKit(t, "python", func(string) error { return nil })
}
