//go:build !linux

package cgroup

import (
	"errors"
	"os"
)

// Tree has nothing here: only Linux has cgroups.
type Tree struct {
	mode        Mode
	folder      string
	controllers []string
	missing     []error
}

// Group is never made here.
type Group struct{ holds []string }

var errLinux = errors.New("only Linux has cgroups")

// Open returns a tree that has nothing.
func Open(cfg Config) *Tree { return &Tree{mode: cfg.Mode, missing: []error{errLinux}} }

// New makes no group.
func (t *Tree) New(string, Limits) (*Group, error) { return nil, errLinux }

// Close does nothing.
func (t *Tree) Close() error { return nil }

// Dir is nil.
func (g *Group) Dir() *os.File { return nil }

// End does nothing.
func (g *Group) End() {}

// OutOfMemory is false.
func (g *Group) OutOfMemory() bool { return false }
