package pluginhost

import (
	"context"
	"errors"
	"fmt"
)

// order is somebody's wish to have another process run, and who hears what
// became of it.
type order struct {
	spec func(now Spec, before *Spec) (Spec, error)
	done chan error // room for one
}

// errNoPlugin is a name that nobody has.
var errNoPlugin = errors.New("there is no such plugin")

// Swap has a plugin run by another spec, such as that of another version. It
// returns when the new process has been started, checked and put in the place
// of the old one, whose calls then end in their own time. On error the old one
// serves on. What is swapped lasts until Reload.
func (h *Host) Swap(ctx context.Context, spec Spec) error {
	return h.order(ctx, spec.Name, func(Spec, *Spec) (Spec, error) { return spec, nil })
}

// Restart replaces a plugin's process by a new one of the same executable, as
// Swap does.
func (h *Host) Restart(ctx context.Context, plugin string) error {
	return h.order(ctx, plugin, func(now Spec, _ *Spec) (Spec, error) { return now, nil })
}

// Rollback swaps back to what ran before the last swap to another executable.
func (h *Host) Rollback(ctx context.Context, plugin string) error {
	return h.order(ctx, plugin, func(now Spec, before *Spec) (Spec, error) {
		if before == nil {
			return Spec{}, errors.New("nothing else ran before")
		}
		back := *before
		back.Instances = now.Instances
		return back, nil
	})
}

// order hands a wish to the plugin's run goroutine, and waits for what becomes
// of it.
func (h *Host) order(ctx context.Context, plugin string, spec func(Spec, *Spec) (Spec, error)) error {
	s := h.find(plugin)
	if s == nil {
		return errNoPlugin
	}
	o := order{spec: spec, done: make(chan error, 1)}
	select {
	case s.orders <- o:
	case <-s.gone:
		return errors.New("the plugin is stopped")
	case <-ctx.Done():
		return fmt.Errorf("the plugin is busy: %w", ctx.Err())
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// obey carries an order out in the place of *p.
func (s *supervisor) obey(ctx context.Context, p **process, o order) {
	s.mu.Lock()
	now, before := s.spec, s.before
	s.mu.Unlock()
	spec, err := o.spec(now, before)
	if err == nil {
		err = s.put(ctx, p, spec, "replaced")
	}
	if err == nil {
		s.remember(now, spec)
	}
	o.done <- err
}

// obeyAtRest takes an order while no process runs: the next start is of it.
func (s *supervisor) obeyAtRest(o order) {
	s.mu.Lock()
	now, before := s.spec, s.before
	s.mu.Unlock()
	spec, err := o.spec(now, before)
	if err != nil {
		o.done <- err
		return
	}
	s.remember(now, spec)
	o.done <- nil
}

// remember makes a spec the current one, and keeps what ran before it.
func (s *supervisor) remember(old, spec Spec) {
	defer s.needsSpare()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spec = spec
	if old.Path != spec.Path || old.SHA256 != spec.SHA256 {
		s.before = &old
	}
}
