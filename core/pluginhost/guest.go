package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// maxGuests is how many plugins may run besides those that are configured.
	maxGuests = 4
	// guestStay is how long one runs on that nobody asks for.
	guestStay = time.Minute
)

// Guest has a plugin run beside those that are configured, and returns when it
// takes requests: another version that somebody wants to try. It goes when
// nobody has called it for a minute, and with Reload. Its name must be one that
// no configured plugin has.
func (h *Host) Guest(ctx context.Context, spec Spec) error {
	s, err := h.invite(spec)
	if err != nil {
		return err
	}
	select {
	case <-s.isSettled:
	case <-ctx.Done():
		return fmt.Errorf("%s starts slowly: %w", spec.Name, ctx.Err())
	}
	if s.live.Load() != nil {
		return nil
	}
	h.dismiss(s)
	return fmt.Errorf("%s doesn't start: %s", spec.Name, s.report().LastError)
}

// invite finds a guest, or starts it.
func (h *Host) invite(spec Spec) (*supervisor, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	guests := 0
	for _, s := range h.plugins {
		if s.guest {
			guests++
		}
	}
	s := h.plugins[spec.Name]
	switch {
	case s != nil && !s.guest:
		return nil, fmt.Errorf("there is a plugin %s already", spec.Name)
	case s != nil:
		s.visited.Store(s.now().UnixNano())
		return s, nil
	case h.start == nil:
		return nil, errors.New("the plugin host doesn't run")
	case guests >= maxGuests:
		return nil, fmt.Errorf("%d other versions run already: in a minute there is room", guests)
	}
	s = newSupervisor(h, spec)
	s.guest = true
	s.visited.Store(s.now().UnixNano())
	h.plugins[spec.Name] = s
	h.start(s)
	return s, nil
}

// dismiss ends a guest, unless somebody else has.
func (h *Host) dismiss(s *supervisor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := s.report().Name
	if h.plugins[name] == s {
		delete(h.plugins, name)
		s.remove()
	}
}

// overstays reports whether a guest has had no call for too long.
func (s *supervisor) overstays() bool {
	return s.guest && !s.stays.Load() && s.now().Sub(time.Unix(0, s.visited.Load())) > guestStay
}
