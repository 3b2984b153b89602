// Package cgroup has the kernel bound plugins' processes, by control groups of
// version 2, where the gateway has been given a part of their hierarchy: by
// systemd with Delegate=, or by a container whose hierarchy it may write.
//
// What it is given, it divides so:
//
//	<ours>/gateway                 the gateway itself: only leaves may hold processes
//	<ours>/bellcrank-plugins-…     one folder for each gateway, locked as long as it lives
//	<ours>/bellcrank-plugins-…/…   one group for each process of a plugin
//
// It touches nothing that it wasn't given: what another manager keeps in order
// is that one's alone.
package cgroup

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Mode says what happens where nothing was given.
type Mode string

// The modes. An empty one is Auto.
const (
	// Auto uses what was given.
	Auto Mode = "auto"
	// Required uses the gateway's own cgroup, whether anything says that it was
	// given or not, even the root of the host's hierarchy. A plugin that the
	// kernel can't hold to its memory and its number of processes doesn't start.
	Required Mode = "required"
	// Off uses nothing.
	Off Mode = "off"
)

// The controllers that are made use of.
const (
	Memory = "memory"
	Pids   = "pids"
	CPU    = "cpu"
)

// kill stands for the whole end of a group, which no controller is needed for.
const kill = "kill"

// wanted lists the controllers.
var wanted = []string{Memory, Pids, CPU}

// Limits bound a group. What is zero isn't bounded.
type Limits struct {
	Memory int64 // bytes, of whatever the kernel counts: page cache goes first
	Tasks  int   // processes and threads
	Nice   int   // the share of processor time is that of one thread of this niceness
}

// Config says how to look for what was given.
type Config struct {
	Mode Mode
	// Proc is where the kernel tells about processes; /proc if empty.
	Proc string
}

var errOff = errors.New("it is switched off")

// Required reports whether a plugin shall not start without its limits.
func (t *Tree) Required() bool { return t != nil && t.mode == Required }

// Why says what can't be had, and why; nil if everything can.
func (t *Tree) Why() error {
	if t == nil {
		return errOff
	}
	return errors.Join(t.missing...)
}

// Holds lists what groups are held by: controllers, and "kill". It is empty
// where there are none.
func (t *Tree) Holds() []string {
	if t == nil || t.folder == "" {
		return nil
	}
	return append(slices.Clone(t.controllers), kill)
}

// Folder is where the groups are; empty if there are none.
func (t *Tree) Folder() string {
	if t == nil {
		return ""
	}
	return t.folder
}

// Bounds reports whether a controller bounds the group.
func (g *Group) Bounds(controller string) bool {
	return g != nil && slices.Contains(g.holds, controller)
}

// String is what the group is held by, for people; empty for none.
func (g *Group) String() string {
	if g == nil {
		return ""
	}
	return "cgroup (" + strings.Join(g.holds, ", ") + ")"
}

// weight is the share that the kernel gives to a niceness, where 0 has 100:
// each step is a quarter.
func weight(nice int) int {
	return max(1, int(math.Round(100/math.Pow(1.25, float64(nice)))))
}

// folderName makes a name for a group that can't be mistaken for a file of the
// kernel's.
func folderName(name string, n uint64) string {
	const most = 64
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, name)
	return fmt.Sprintf("plugin-%.*s-%d", most, clean, n)
}
