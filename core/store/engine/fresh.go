package engine

import (
	"encoding/json"
	"sync"
	"unicode/utf8"

	"bellcrank.example/core"
)

// The bounds of the versions that are kept in memory. They are few, as what is
// delivered at once was committed a moment ago, and each that is kept is walked
// over at every collection of garbage.
const (
	maxFresh       = 512
	maxFreshWeight = 16 << 20 // bytes, about
)

// versionRef names a version.
type versionRef struct {
	incident core.ID
	number   int
}

// fresh keeps the newest versions as they are stored: whoever delivers them
// asks right after the commit, and a version never changes.
type fresh struct {
	mu     sync.Mutex
	known  map[versionRef]freshVersion
	order  []versionRef // of known, oldest first
	weight int          // of known, in bytes
}

type freshVersion struct {
	core.Version
	weight int
}

// add keeps versions that were committed, and forgets the oldest for them.
func (f *fresh) add(versions []core.Version) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil {
		f.known = map[versionRef]freshVersion{}
	}
	for i := range versions {
		v := &versions[i]
		weight, plain := weigh(v)
		ref := versionRef{v.Incident, v.Number}
		if _, known := f.known[ref]; known || !plain || weight > maxFreshWeight/64 {
			continue
		}
		f.known[ref] = freshVersion{asStored(v), weight}
		f.order = append(f.order, ref)
		f.weight += weight
	}
	for len(f.order) > maxFresh || f.weight > maxFreshWeight {
		f.weight -= f.known[f.order[0]].weight
		delete(f.known, f.order[0])
		f.order = f.order[1:]
	}
}

func (f *fresh) find(ref versionRef) (core.Version, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.known[ref]
	return v.Version, ok
}

// FreshVersion returns a version with its snapshot if it is still in memory, as
// the Reader's Version would. Nobody may change the snapshot.
func (e *Engine) FreshVersion(incident core.ID, number int) (core.Version, bool) {
	return e.fresh.find(versionRef{incident, number})
}

// asStored returns what reading the version back would: what no column has is
// gone, and times end at the microsecond.
func asStored(v *core.Version) core.Version {
	s := snapshotOf(v.Snapshot)
	return core.Version{
		Incident: v.Incident, Number: v.Number, Kind: v.Kind, At: Time(Micros(v.At)), Generation: v.Generation,
		Author: v.Author, Note: v.Note, Snapshot: s.incident(),
	}
}

// versionWeight is what a version takes besides its texts.
const versionWeight = 1 << 10

// weigh returns about how many bytes the version takes, and whether its
// snapshot stays as it is in JSON.
func weigh(v *core.Version) (weight int, plain bool) {
	in := v.Snapshot
	s := scale{weight: versionWeight, plain: true}
	s.texts(v.Author, v.Note, in.DedupKey, in.SeriesKey, in.Title, in.Description, in.Service, in.SeverityRaw, in.SourceURL, in.Assigned)
	s.texts(in.Told...)
	s.texts(in.Affected...)
	for name, value := range in.Labels {
		s.texts(name, value)
	}
	for _, link := range in.Links {
		s.texts(link.Name, link.URL)
	}
	if in.Metadata != nil {
		s.value(in.Metadata)
	}
	return s.weight, s.plain
}

// scale adds up what values weigh. It isn't plain once there was one that JSON
// would change.
type scale struct {
	weight int
	plain  bool
}

func (s *scale) texts(list ...string) {
	for _, text := range list {
		s.weight += len(text) + 16
		s.plain = s.plain && utf8.ValidString(text)
	}
}

func (s *scale) value(v any) {
	switch v := v.(type) {
	case nil, bool:
		s.weight += 16
	case string:
		s.texts(v)
	case json.Number:
		s.texts(string(v))
	case []any:
		s.plain = s.plain && v != nil
		for _, element := range v {
			s.value(element)
		}
	case map[string]any:
		s.plain = s.plain && v != nil
		for name, element := range v {
			s.texts(name)
			s.value(element)
		}
	default:
		s.plain = false
	}
}
