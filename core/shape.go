package core

import (
	"slices"
	"strings"
	"time"
)

// Bounds of what is remembered and said of a shape.
const (
	// ShapeSettled is how many requests, over how long at least, make a shape
	// the usual one. Nothing is said before.
	ShapeSettled    = 100
	ShapeSettledFor = 24 * time.Hour
	// ShapeChanged is after how many requests in a row a path that was always
	// there is missed, and after how many with it a new one is one.
	ShapeChanged = 20
	// ShapeAdopted is after how long another shape is the usual one.
	ShapeAdopted = 7 * 24 * time.Hour
	// maxShapePaths bounds the paths of a shape.
	maxShapePaths = 256
)

// Shape is which JSON paths the requests of an integration have, of those that
// its adapter reads.
type Shape struct {
	Tenant      int64
	Integration string // "TYPE/NAME"
	// Watched names what is looked for: another adapter begins anew.
	Watched   string
	Since     time.Time // of the first request that was looked at
	Seen      int       // requests until it was settled
	SettledAt time.Time // zero: it isn't yet
	ChangedAt time.Time // since when it is another than usual; zero: it isn't
	Paths     map[string]PathSeen
}

// PathSeen counts the requests with a path.
type PathSeen struct {
	Usual  int // until the shape was settled
	Missed int // without it, in a row, since then
	Extra  int // with it since then, if none had it before
}

// Observe takes in which paths a request has.
func (s *Shape) Observe(watched string, present []string, now time.Time) {
	adopted := !s.ChangedAt.IsZero() && now.Sub(s.ChangedAt) >= ShapeAdopted
	if s.Since.IsZero() || s.Watched != watched || adopted {
		*s = Shape{Tenant: s.Tenant, Integration: s.Integration, Watched: watched, Since: now, Paths: map[string]PathSeen{}}
	}
	if s.SettledAt.IsZero() {
		s.learn(present, now)
		return
	}
	s.compare(present)
	vanished, appeared := s.Changes()
	switch {
	case len(vanished)+len(appeared) == 0:
		s.ChangedAt = time.Time{}
	case s.ChangedAt.IsZero():
		s.ChangedAt = now
	}
}

func (s *Shape) learn(present []string, now time.Time) {
	s.Seen++
	for _, path := range present {
		s.count(path, func(p *PathSeen) { p.Usual++ })
	}
	if s.Seen >= ShapeSettled && now.Sub(s.Since) >= ShapeSettledFor {
		s.SettledAt = now
	}
}

func (s *Shape) compare(present []string) {
	has := make(map[string]bool, len(present))
	for _, path := range present {
		has[path] = true
		if s.Paths[path].Usual == 0 {
			s.count(path, func(p *PathSeen) { p.Extra++ })
		}
	}
	for path, p := range s.Paths {
		if p.Missed++; has[path] {
			p.Missed = 0
		}
		s.Paths[path] = p
	}
}

func (s *Shape) count(path string, count func(*PathSeen)) {
	p, known := s.Paths[path]
	if !known && len(s.Paths) >= maxShapePaths {
		return
	}
	count(&p)
	s.Paths[path] = p
}

// Changes lists the paths that were in every request and have vanished, and
// those that none had and that have appeared. What is below one of them isn't
// listed.
func (s *Shape) Changes() (vanished, appeared []string) {
	if s.SettledAt.IsZero() {
		return nil, nil
	}
	always := s.Seen - s.Seen/ShapeSettled // one odd request in a hundred makes no rule
	for path, p := range s.Paths {
		switch {
		case p.Usual >= always && p.Missed >= ShapeChanged:
			vanished = append(vanished, path)
		case p.Usual == 0 && p.Extra >= ShapeChanged && p.Missed < ShapeChanged:
			appeared = append(appeared, path)
		}
	}
	return topmost(vanished), topmost(appeared)
}

// topmost leaves out what is below another path.
func topmost(paths []string) []string {
	slices.Sort(paths)
	var top []string
	for _, path := range paths {
		below := slices.ContainsFunc(top, func(above string) bool {
			rest, ok := strings.CutPrefix(path, above)
			return ok && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "[]"))
		})
		if !below {
			top = append(top, path)
		}
	}
	return top
}
