package pluginhost

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"bellcrank.example/core/pluginhost/sandbox"
	"bellcrank.example/sdk/client"
)

const (
	// defaultMemory is how many resident bytes a plugin may take. A body of
	// the largest size takes an adapter some 200 MiB for a moment.
	defaultMemory = 512 << 20
	// openFiles and fileSize bound a plugin's descriptors, and the files that
	// it writes, in bytes: it has only a socket to make.
	openFiles = 256
	fileSize  = 1 << 20
	// leastData is what every runtime can start with.
	leastData = 512 << 20
	// defaultNice puts plugins behind the gateway when there isn't enough
	// processor time for both.
	defaultNice = 5
)

// policy is what a plugin's process is confined to.
func (s Spec) policy(program Program) sandbox.Policy {
	read := slices.Concat(s.ReadPaths, program.Read)
	if program.Folder != "" {
		read = append(read, program.Folder)
	}
	return sandbox.Policy{
		Mode: s.Sandbox, Read: read, Unset: []string{client.ShimEnv}, Nice: s.nice(), OpenFiles: openFiles, FileSize: fileSize,
		// The kernel refuses more than twice what the watch allows: a leak may
		// be quicker than the watch.
		Data: uint64(max(2*s.memory(), leastData)),
	}
}

// nice is what is added to a process's niceness.
func (s Spec) nice() int { return cmp.Or(s.Limits.Nice, defaultNice) }

// memory is how many resident bytes end a process.
func (s Spec) memory() int64 {
	if s.Limits.Memory > 0 {
		return s.Limits.Memory
	}
	return defaultMemory
}

// processor is how much processor time a call may take.
func (s Spec) processor() time.Duration {
	if s.Limits.Processor > 0 {
		return s.Limits.Processor
	}
	return defaultProcessor
}

// startConfined starts a process behind the shim, and returns the level in
// force.
func (s *supervisor) startConfined(ctx context.Context, spec Spec, program Program, cfg client.Config) (*client.Client, string, error) {
	if len(s.host.cfg.Shim) == 0 || cfg.File == nil {
		if spec.Sandbox == sandbox.Required {
			return nil, "", fmt.Errorf("sandbox = %q, but plugins can't be confined here", spec.Sandbox)
		}
		c, err := client.Start(ctx, cfg)
		return c, "none", err
	}
	args, err := sandbox.Arguments(spec.policy(program))
	if err != nil {
		return nil, "", err
	}
	ours, its, err := os.Pipe()
	if err != nil {
		return nil, "", fmt.Errorf("pipe for the sandbox's report: %w", err)
	}
	defer ours.Close()
	cfg.Shim, cfg.ShimReport = append(append([]string{}, s.host.cfg.Shim...), args...), its
	c, err := client.Start(ctx, cfg)
	its.Close()
	report, unknown := sandbox.ReadReport(ours)
	switch {
	case err != nil && report.Err != "":
		return nil, "", fmt.Errorf("start %s: %s", spec.Path, report.Err)
	case err != nil:
		return nil, "", err
	case unknown != nil:
		c.Kill()
		return nil, "", unknown
	case spec.Sandbox == sandbox.Off:
		return c, "off", nil
	}
	if !report.Full() {
		s.log.Warn("the plugin isn't wholly confined", "level", report.String(), "missing", report.Missing)
	}
	return c, report.String(), nil
}
