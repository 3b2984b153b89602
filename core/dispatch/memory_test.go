package dispatch

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"bellcrank.example/core"
)

// memory is a store in memory with the promises of Store.
type memory struct {
	mu       sync.Mutex
	rows     map[core.ID]core.Delivery
	live     map[core.ID]bool // rows that are unfinished
	byLane   map[laneKey][]core.ID
	versions map[core.ID][]core.Version
	states   map[string]core.DestinationState
	notes    map[laneKey]string // what senders remember
	attempts []core.Attempt
	broken   bool // every call fails
	nextID   core.ID
	reads    int // calls of Due
}

type laneKey struct {
	destination string
	incident    core.ID
}

func newMemory() *memory {
	return &memory{
		rows: map[core.ID]core.Delivery{}, live: map[core.ID]bool{}, byLane: map[laneKey][]core.ID{},
		versions: map[core.ID][]core.Version{},
		states:   map[string]core.DestinationState{},
		notes:    map[laneKey]string{},
	}
}

var errBroken = errors.New("the store is away")

func (m *memory) newID() core.ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nextID++
	return m.nextID
}

// owe adds a version of an incident and what is owed of it, as a fold does.
func (m *memory) owe(incident core.ID, kind core.Kind, now time.Time, destinations ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.versions[incident]) + 1
	in := &core.Incident{ID: incident, Number: int64(incident), Tenant: 1, Title: "disk full", Status: core.Investigating, Version: n}
	if kind == core.ResolvedKind {
		in.Status = core.Resolved
	}
	m.versions[incident] = append(m.versions[incident], core.Version{Incident: incident, Number: n, Kind: kind, At: now, Snapshot: in})
	for _, dest := range destinations {
		m.nextID = max(m.nextID+1, core.IDAt(now))
		d := core.Delivery{
			ID: m.nextID, Tenant: 1, Incident: incident, Version: n, Kind: kind,
			Destination: dest, State: core.DeliveryDue, NextAt: now, CreatedAt: now,
		}
		if !m.states[dest].Active() {
			d.State = core.DeliveryParked
		}
		if lane := m.lane(dest, incident); len(lane.Deliveries) > 0 {
			core.Inherit(&d, lane.Deliveries[len(lane.Deliveries)-1])
		}
		m.put(d)
	}
}

func (m *memory) put(d core.Delivery) {
	if key := (laneKey{d.Destination, d.Incident}); m.rows[d.ID].ID == 0 {
		m.byLane[key] = append(m.byLane[key], d.ID)
	}
	m.rows[d.ID] = d
	if d.State.Unfinished() {
		m.live[d.ID] = true
	} else {
		delete(m.live, d.ID)
	}
}

// where returns the unfinished rows that are kept, in order of id.
func (m *memory) where(keep func(core.Delivery) bool) []core.Delivery {
	var rows []core.Delivery
	for id := range m.live {
		if d := m.rows[id]; keep(d) {
			rows = append(rows, d)
		}
	}
	slices.SortFunc(rows, func(a, b core.Delivery) int { return cmp.Compare(a.ID, b.ID) })
	return rows
}

func (m *memory) lane(dest string, incident core.ID) core.Lane {
	lane := core.Lane{Incident: incident, Destination: dest}
	for _, id := range m.byLane[laneKey{dest, incident}] {
		if m.live[id] {
			lane.Deliveries = append(lane.Deliveries, m.rows[id])
		}
	}
	return lane
}

func (m *memory) lanes(dest string, rows []core.Delivery, limit int) []core.Lane {
	var lanes []core.Lane
	seen := map[core.ID]bool{}
	for _, d := range rows {
		if !seen[d.Incident] && len(lanes) < limit {
			seen[d.Incident] = true
			lanes = append(lanes, m.lane(dest, d.Incident))
		}
	}
	return lanes
}

// due returns the rows that are due by then, the longest waiting first.
func (m *memory) due(dest string, by time.Time) []core.Delivery {
	rows := m.where(func(d core.Delivery) bool {
		return d.Destination == dest && d.State == core.DeliveryDue && !d.NextAt.After(by)
	})
	slices.SortStableFunc(rows, func(a, b core.Delivery) int { return a.NextAt.Compare(b.NextAt) })
	return rows
}

func (m *memory) Due(_ context.Context, dest string, now time.Time, limit int) ([]core.Lane, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.broken {
		return nil, errBroken
	}
	return m.lanes(dest, m.due(dest, now), limit), nil
}

func (m *memory) NextDue(_ context.Context, dest string) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var next time.Time
	for id := range m.live {
		d := m.rows[id]
		if d.Destination == dest && d.State == core.DeliveryDue && (next.IsZero() || d.NextAt.Before(next)) {
			next = d.NextAt
		}
	}
	return next, nil
}

func (m *memory) Parked(_ context.Context, dest string, after core.ID, limit int) ([]core.Lane, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	parked := m.where(func(d core.Delivery) bool { return d.Destination == dest && d.State == core.DeliveryParked })
	var lanes []core.Lane
	for _, lane := range m.lanes(dest, parked, len(parked)) {
		if lane.Deliveries[0].ID > after && len(lanes) < limit {
			lanes = append(lanes, lane)
		}
	}
	return lanes, nil
}

func (m *memory) Creditors(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var owed []string
	for _, d := range m.where(func(core.Delivery) bool { return true }) {
		owed = append(owed, d.Destination)
	}
	slices.Sort(owed)
	return slices.Compact(owed), nil
}

func (m *memory) Deliveries(_ context.Context, f core.DeliveryFilter) ([]core.Delivery, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rows := m.where(func(d core.Delivery) bool {
		return d.Destination == f.Destination && d.State == f.State && d.NextAt.After(f.DueAfter) &&
			(f.Page.Before == 0 || d.ID < f.Page.Before)
	})
	slices.Reverse(rows)
	return rows[:min(len(rows), f.Page.Size())], nil
}

func (m *memory) Version(_ context.Context, incident core.ID, number int) (core.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken || len(m.versions[incident]) < number {
		return core.Version{}, errBroken
	}
	return m.versions[incident][number-1], nil
}

func (m *memory) Memory(_ context.Context, incident core.ID, dest string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.notes[laneKey{dest, incident}], nil
}

func (m *memory) Record(_ context.Context, o core.Outcome) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken {
		return errBroken
	}
	if d := m.rows[o.Attempt.Delivery]; o.Remember != "" {
		m.notes[laneKey{d.Destination, d.Incident}] = o.Remember
	}
	for _, d := range o.Deliveries {
		if m.rows[d.ID].State.Unfinished() {
			m.put(d)
		}
	}
	if o.Attempt.Delivery != 0 {
		m.attempts = append(m.attempts, o.Attempt)
	}
	if o.FoldOlder > 0 {
		sent := m.rows[o.Attempt.Delivery]
		for _, d := range m.lane(sent.Destination, sent.Incident).Deliveries {
			if d.Version < o.FoldOlder {
				d.State, d.FoldedInto = core.DeliveryFolded, sent.ID
				m.put(d)
			}
		}
	}
	if o.Destination != nil {
		m.setState(*o.Destination)
	}
	if o.Release {
		m.release(o.Attempt.Destination, o.ReleaseFrom, o.ReleaseStep)
	}
	return nil
}

func (m *memory) setState(s core.DestinationState) {
	m.states[s.Destination] = s
	if s.Active() {
		return
	}
	for _, d := range m.where(func(d core.Delivery) bool { return d.Destination == s.Destination && d.State == core.DeliveryDue }) {
		d.State = core.DeliveryParked
		m.put(d)
	}
}

func (m *memory) release(dest string, from time.Time, step time.Duration) {
	waiting := m.where(func(d core.Delivery) bool {
		return d.Destination == dest && (d.State == core.DeliveryParked ||
			d.State == core.DeliveryDue && d.Fault == core.DestinationFault)
	})
	for i, d := range waiting {
		at := from.Add(time.Duration(i) * step)
		if d.State == core.DeliveryParked || at.Before(d.NextAt) {
			d.State, d.NextAt = core.DeliveryDue, at
		}
		m.put(d)
	}
}

func (m *memory) SetDestination(_ context.Context, s core.DestinationState) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.setState(s)
	if s.Active() {
		m.release(s.Destination, s.Since, core.ReleaseStep)
	}
	return nil
}

func (m *memory) DestinationStates(context.Context) ([]core.DestinationState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken {
		return nil, errBroken
	}
	var states []core.DestinationState
	for _, s := range m.states {
		states = append(states, s)
	}
	return states, nil
}

// setBroken makes the store fail, or work again.
func (m *memory) setBroken(broken bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = broken
}

// count returns how many rows are in each state.
func (m *memory) count() map[core.DeliveryState]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := map[core.DeliveryState]int{}
	for _, d := range m.rows {
		n[d.State]++
	}
	return n
}

// rowsOf returns a destination's rows in order of id.
func (m *memory) rowsOf(dest string) []core.Delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []core.Delivery
	for _, d := range m.rows {
		if d.Destination == dest {
			rows = append(rows, d)
		}
	}
	slices.SortFunc(rows, func(a, b core.Delivery) int { return cmp.Compare(a.ID, b.ID) })
	return rows
}

// unfinished returns how many rows are still owed.
func (m *memory) unfinished() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.live)
}
