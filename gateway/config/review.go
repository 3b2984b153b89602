package config

import (
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// review looks at the whole: what is right in each part and wrong, or
// doubtful, together.
func (l *loader) review() {
	if l.cfg.Storage.Path == "" {
		l.cfg.Storage.Path = filepath.Join(l.cfg.DataDir, "bellcrank.db")
	}
	if a := l.cfg.Ingest.Address; a == l.cfg.Admin.Address && !strings.HasSuffix(a, ":0") {
		l.errorf(l.blockAt("listener", "admin"), "Shared address", "The listeners \"ingest\" and \"admin\" can't both be at %s.", l.cfg.Ingest.Address)
	}
	if !l.catchAll {
		l.errorf(l.lastRoute(), "No catch-all route",
			"An incident that no route matches would be told to nobody. End with a route that has neither match nor when.")
	}
	if l.diags.HasErrors() {
		return // a route with a mistake uses nothing
	}
	for _, d := range l.cfg.Destinations {
		if id := d.ID(); !l.used[id] && !d.Notify && !d.Tests {
			l.warnf(l.blockAt("destination", id), "Unused destination", "No route leads to it.")
		}
	}
	if ids := l.order["destination"]; len(ids) == 1 {
		l.warnf(l.blockAt("destination", ids[0]), "Only one destination",
			"When it fails there is nowhere to say so. Add a second one with notify = true.")
	}
}

// blockAt returns where a block is, nil if it isn't declared.
func (l *loader) blockAt(kind, name string) *hcl.Range {
	if at, ok := l.declared[kind][name]; ok {
		return &at
	}
	return nil
}

// lastRoute is behind where a catch-all route is missed.
func (l *loader) lastRoute() *hcl.Range {
	names := l.order["route"]
	if len(names) == 0 {
		return nil
	}
	return l.blockAt("route", names[len(names)-1])
}
