package cgroup

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// place is where a process is in the hierarchy of version 2.
type place struct {
	mount string // where the hierarchy, or the part that is seen of it, is mounted
	path  string // of the process's cgroup below that
	// top: the process is at the root of its cgroup namespace. That is a
	// container's own cgroup, or the root of the host's.
	top bool
}

// dir is the folder of the process's cgroup.
func (p place) dir() string { return path.Join(p.mount, p.path) }

// locate reads /proc/self/cgroup and /proc/self/mountinfo.
func locate(cgroups, mounts string) (place, error) {
	own, ok := "", false
	for line := range strings.Lines(cgroups) {
		if rest, is := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); is {
			own, ok = rest, true
		}
	}
	if !ok {
		return place{}, errors.New("the kernel has no cgroups of version 2 here")
	}
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		const root, point = 3, 4
		if len(fields) <= point || len(kind) == 0 || kind[0] != "cgroup2" {
			continue
		}
		if below, ok := under(unescape(fields[root]), own); ok {
			return place{mount: unescape(fields[point]), path: below, top: own == "/"}, nil
		}
	}
	return place{}, fmt.Errorf("cgroup %s of version 2 is mounted nowhere", own)
}

// under returns what is left of a path below root.
func under(root, p string) (string, bool) {
	if root == "/" {
		return p, !strings.HasPrefix(p, "/..")
	}
	rest, ok := strings.CutPrefix(p, root)
	return "/" + strings.TrimPrefix(rest, "/"), ok && (rest == "" || rest[0] == '/')
}

// unescape reads mountinfo's way to write white space and backslashes.
func unescape(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		const digits = 3
		if len(after) >= digits {
			if c, err := strconv.ParseUint(after[:digits], 8, 8); err == nil {
				b.WriteByte(byte(c))
				s = after[digits:]
				continue
			}
		}
		b.WriteByte('\\')
		s = after
	}
}
