package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"

	"bellcrank.example/core/pluginhost/cgroup"
	"bellcrank.example/sdk/client"
)

// leastTasks is how many processes and threads a plugin may always have. A
// runtime starts a thread or two for each processor, and one for each call in
// flight, of which there are 64; a bomb of 512 hurts nobody.
const leastTasks = 512

// hold makes the cgroup for a process; nil without an error if it goes without.
func (s *supervisor) hold(spec Spec) (*cgroup.Group, error) {
	tree := s.host.cfg.Cgroups
	if tree == nil {
		return nil, nil
	}
	limits := cgroup.Limits{Memory: spec.memory(), Tasks: max(leastTasks, 4*runtime.NumCPU()), Nice: spec.nice()}
	if spec.Held {
		limits.Memory = 0
	}
	group, err := tree.New(spec.Name, limits)
	switch {
	case err == nil:
		return group, nil
	case tree.Required():
		return nil, fmt.Errorf("the kernel must hold plugins to their limits, but can't: %w", err)
	case tree.Folder() != "":
		s.log.Warn("the plugin has no cgroup", "err", err)
	}
	return nil, nil
}

// startHeld starts a process in a cgroup of its own where there are any, and
// returns the level in force.
func (s *supervisor) startHeld(ctx context.Context, spec Spec, program Program, cfg client.Config) (*client.Client, *cgroup.Group, string, error) {
	group, err := s.hold(spec)
	if err != nil {
		return nil, nil, "", err
	}
	if group == nil {
		c, level, err := s.startConfined(ctx, spec, program, cfg)
		return c, nil, level, err
	}
	held := cfg
	held.Cgroup, held.Ended = group.Dir(), group.End
	c, level, err := s.startConfined(ctx, spec, program, held)
	if err == nil {
		return c, group, level + " + " + group.String(), nil
	}
	group.End()
	if neverRan(err) && !s.host.cfg.Cgroups.Required() {
		if c, level, again := s.startConfined(ctx, spec, program, cfg); again == nil {
			s.log.Warn("the plugin has no cgroup", "err", err)
			return c, nil, level, nil
		}
	}
	return nil, nil, "", withCause(err, group, spec)
}

// neverRan reports whether there was no process at all, as where somebody has
// taken its cgroup away.
func neverRan(err error) bool {
	e, ok := errors.AsType[*fs.PathError](err)
	return ok && e.Op == "fork/exec"
}

// withCause adds to the error that a process's end has made that the kernel has
// ended it for its memory.
func withCause(err error, group *cgroup.Group, spec Spec) error {
	if !group.OutOfMemory() {
		return err
	}
	return fmt.Errorf("%w: %w, the kernel ended it at %d bytes", err, errMemory, spec.memory())
}
