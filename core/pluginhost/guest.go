package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
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
	s, err := h.invite(spec, false)
	if err != nil {
		return err
	}
	return h.await(ctx, s, spec)
}

// await returns when a guest takes requests; one that doesn't start goes.
func (h *Host) await(ctx context.Context, s *supervisor, spec Spec) error {
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

// invite finds a guest, or starts it. Probes and shadows need no room: there is
// one of each for a plugin at most.
func (h *Host) invite(spec Spec, probe bool) (*supervisor, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	guests := 0
	for _, s := range h.plugins {
		if s.guest && !s.probe && !s.stays.Load() {
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
	case guests >= maxGuests && !probe:
		return nil, fmt.Errorf("%d other versions run already: in a minute there is room", guests)
	}
	s = newSupervisor(h, spec)
	s.guest, s.probe = true, probe
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

// Probe hands a request to a process of its own of the plugin: one that is
// suspected of having ended a process does no harm to others there. The process
// stays for a minute, should there be more of them. Errors are those of Adapt.
func (h *Host) Probe(ctx context.Context, plugin string, r sdk.Request) (sdk.Result, error) {
	s := h.find(plugin)
	if s == nil {
		return sdk.Result{}, &core.AdaptError{Fault: core.AdapterDown, Plugin: plugin, Err: errNoPlugin}
	}
	spec := s.wanted()
	spec.Name = "probe of " + plugin
	starting, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.cfg.Timing.Start)
	defer cancel()
	guest, err := h.invite(spec, true)
	if err == nil {
		err = h.await(starting, guest, spec)
	}
	if err != nil {
		return sdk.Result{}, s.down(err)
	}
	result, err := guest.adapt(ctx, r)
	if fault, ok := errors.AsType[*core.AdaptError](err); ok {
		fault.Plugin = plugin
	}
	return result, err
}
