package pluginhost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/client"
)

// nextOne returns the process that stands by, if the one before had answered a
// call; else it starts one. One that can't live is replaced with patience.
func (s *supervisor) nextOne(ctx context.Context, tries int) (*process, error) {
	spec := s.wanted()
	if tries <= 1 {
		if p := s.takeSpare(spec); p != nil {
			return p, nil
		}
	}
	return s.start(ctx, spec, s.set)
}

// start verifies, starts, configures and probes a process. On error none is
// left. report hears of the states on the way.
func (s *supervisor) start(ctx context.Context, spec Spec, report func(State, error)) (*process, error) {
	report(Verifying, nil)
	v, err := verify(spec, &s.host.hashes, s.now())
	if err != nil {
		return nil, err
	}
	defer v.file.Close()
	if v.remark != "" {
		s.log.Warn("the plugin could be replaced by others", "remark", v.remark)
	}
	report(Starting, nil)
	ctx, cancel := context.WithTimeout(ctx, s.timing.Start)
	defer cancel()
	output := newLogSink(s.log, s.now)
	p, err := s.launch(ctx, spec, v, output)
	if err != nil {
		return nil, withWords(err, output.lastWords())
	}
	p.output, p.sha256 = output, v.sha256
	if err = v.unchanged(); err == nil {
		err = s.prepare(ctx, p, report)
	}
	if err != nil {
		p.client.Kill()
		return nil, withCause(err, p.group, spec)
	}
	return p, nil
}

// withWords adds what a process said before it failed to start: interpreters
// say what is missing.
func withWords(err error, lines []string) error {
	if len(lines) == 0 {
		return err
	}
	const most, each = 3, 200
	lines = lines[:min(len(lines), most)]
	for i := range lines {
		lines[i] = cut(lines[i], each)
	}
	return fmt.Errorf("%w; it says: %s", err, strings.Join(lines, " | "))
}

// launch is the one place that turns a verified file into a process.
func (s *supervisor) launch(ctx context.Context, spec Spec, v *verified, output *logSink) (*process, error) {
	cfg := client.Config{
		Path: v.program.Path, Args: slices.Concat(v.program.Args, spec.Args), Env: environment(spec), RunDir: s.host.runDir, Output: output,
		StartTimeout: s.timing.Start, Stuck: s.timing.Stuck, Now: s.now, Logger: s.log,
	}
	if runsByDescriptor {
		cfg.File = v.file
	}
	c, group, level, err := s.startHeld(ctx, spec, v.program, cfg)
	if err != nil {
		return nil, err
	}
	p := newProcess(spec, c)
	p.sandbox, p.group = level, group
	return p, nil
}

// environment is all that a plugin learns from its environment.
func environment(spec Spec) []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(spec.Env)) {
		env = append(env, name+"="+spec.Env[name])
	}
	return env
}

// prepare makes a process ready for requests.
func (s *supervisor) prepare(ctx context.Context, p *process, report func(State, error)) error {
	info := p.client.Describe()
	if p.spec.Type != "" && info.Type != p.spec.Type {
		return fmt.Errorf("it adapts %q, not %q", info.Type, p.spec.Type)
	}
	report(Configuring, nil)
	for _, integration := range slices.Sorted(maps.Keys(p.spec.Instances)) {
		if err := s.configure(ctx, p, integration, p.spec.Instances[integration]); err != nil {
			return err
		}
	}
	report(Probing, nil)
	return probe(ctx, p.client, info)
}

// configure hands an integration's settings over. Wrong ones are no reason to
// fail the others: the error is that of a process that doesn't answer.
func (s *supervisor) configure(ctx context.Context, p *process, integration string, settings json.RawMessage) error {
	err := p.client.Configure(ctx, integration, settings)
	if _, lost := errors.AsType[*client.Error](err); lost {
		return err
	}
	if err != nil {
		s.log.Error("an integration's settings are refused", "integration", integration, "err", err)
	}
	p.refuse(integration, err)
	return nil
}

// reconfigure gives a process that serves on the settings that have changed.
func (s *supervisor) reconfigure(ctx context.Context, p *process, spec Spec) {
	ctx, cancel := context.WithTimeout(ctx, s.timing.Start)
	defer cancel()
	old := p.spec.Instances
	p.spec = spec
	for integration, settings := range spec.Instances {
		before, known := old[integration]
		if known && bytes.Equal(before, settings) {
			continue
		}
		if err := s.configure(ctx, p, integration, settings); err != nil {
			s.log.Error("the plugin doesn't take its new settings", "integration", integration, "err", err)
			return // it hangs or has ended, which the watch sees
		}
	}
	for integration := range old {
		if _, stays := spec.Instances[integration]; !stays {
			_ = p.client.Release(ctx, integration) // nobody calls for it any more
		}
	}
}

// probe asks for a first answer: its health, and events for its own sample. A
// failure is an answer, too: the sample may need settings.
func probe(ctx context.Context, c *client.Client, info sdk.Info) error {
	if err := c.Check(ctx); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	if len(info.Samples) == 0 {
		return nil
	}
	sample := info.Samples[0]
	_, err := c.Adapt(ctx, sdk.Request{ID: "probe", Method: "POST", Path: sample.Path, Header: sample.Header, Body: sample.Body, Attempt: 1})
	if e, ok := errors.AsType[*client.Error](err); ok {
		return fmt.Errorf("probe with its sample %q: %w", sample.Name, e)
	}
	return nil
}
