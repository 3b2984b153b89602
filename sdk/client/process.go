package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin/runner"

	"bellcrank.example/sdk/internal/wire"
)

const (
	// handshakeLine is the longest first line on stdout, in bytes.
	handshakeLine = 4 << 10
	// lastWords is how long output is read after the process has ended.
	lastWords = 200 * time.Millisecond
	// lifelineFD is the lifeline's descriptor in the process.
	lifelineFD = 3
)

// Exit says how a process ended.
type Exit struct {
	Code   int    // exit code, -1 if a signal ended it
	Signal string // name of that signal
	Killed bool   // the signal was ours
	Text   string // for people, such as "exit status 3"
}

// process is one run of an executable, in a process group of its own. It
// implements the library's runner, so that nothing but this code starts,
// reads or kills it.
type process struct {
	cfg      Config
	command  *exec.Cmd
	output   *lockedWriter
	stdout   *io.PipeReader // what the library reads: the first line
	toStdout *io.PipeWriter
	stderr   *io.PipeReader // ends with the process, says nothing
	toStderr *io.PipeWriter
	started  chan error
	once     sync.Once
	done     chan struct{}
	exit     Exit

	mu     sync.Mutex
	id     int // 0: not running
	killed bool
}

func newProcess(cfg Config) (*process, error) {
	if cfg.Path == "" {
		return nil, errors.New("no executable named")
	}
	p := &process{cfg: cfg, output: &lockedWriter{w: cfg.Output}, started: make(chan error, 1), done: make(chan struct{})}
	p.stdout, p.toStdout = io.Pipe()
	p.stderr, p.toStderr = io.Pipe()
	return p, nil
}

// runner gives the library the process; prototype has the environment that
// the handshake needs.
func (p *process) runner(_ hclog.Logger, prototype *exec.Cmd, _ string) (runner.Runner, error) {
	// Its end has an order of its own, so no context ends it.
	p.command = exec.CommandContext(context.Background(), p.cfg.Path, p.cfg.Args...)
	p.command.Env = append(append(p.command.Env, p.cfg.Env...), prototype.Env...)
	p.command.Env = append(p.command.Env, wire.LifelineEnv+"="+strconv.Itoa(lifelineFD))
	if len(p.cfg.Shim) > 0 {
		p.command.Env = append(p.command.Env, wire.ShimEnv+"=1")
	}
	return p, nil
}

// Start runs the executable. The goroutine that does so keeps its thread until
// the process has ended: the kernel's parent-death signal belongs to threads.
func (p *process) Start(context.Context) error {
	p.once.Do(func() {
		go func() {
			runtime.LockOSThread()
			p.run()
		}()
	})
	return <-p.started
}

// run starts the process, and waits for its end.
func (p *process) run() {
	defer p.ended()
	p.mu.Lock()
	pipes, err := p.spawn()
	p.mu.Unlock()
	if err != nil {
		p.exit = Exit{Code: -1, Text: err.Error()}
		p.started <- err
		return
	}
	defer pipes.lifeline.Close()
	var reading sync.WaitGroup
	reading.Go(func() { p.readStdout(pipes.stdout) })
	reading.Go(func() { _, _ = io.Copy(p.output, pipes.stderr) })
	p.started <- nil
	waitFor(p.command)
	p.reap()
	if p.cfg.Ended != nil {
		p.cfg.Ended()
	}
	// A descendant that left the group may hold the pipes open for ever.
	limit := time.AfterFunc(lastWords, pipes.closeOutput)
	reading.Wait()
	limit.Stop()
	pipes.closeOutput()
}

// reap takes the descendants away with the process. Where the process isn't
// reaped yet, the group's number can't belong to others.
func (p *process) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	killGroup(p.id)
	var err error
	if p.command.ProcessState == nil {
		err = p.command.Wait()
	}
	p.id = 0
	p.exit = exitOf(p.command.ProcessState, err, p.killed)
}

// ended tells everybody.
func (p *process) ended() {
	_ = p.toStdout.Close()
	_ = p.toStderr.Close()
	close(p.done)
}

// pipes are our ends.
type pipes struct{ stdout, stderr, lifeline *os.File }

func (p *pipes) closeOutput() {
	p.stdout.Close()
	p.stderr.Close()
}

// spawn starts the command with its pipes. Standard input is empty.
func (p *process) spawn() (*pipes, error) {
	if p.killed {
		return nil, errors.New("ended before it started")
	}
	var files []*os.File
	pipe := func() (r, w *os.File, err error) {
		r, w, err = os.Pipe()
		files = append(files, r, w)
		return r, w, err
	}
	stdout, itsStdout, err := pipe()
	if err != nil {
		return nil, closeAll(files, err)
	}
	stderr, itsStderr, err := pipe()
	if err != nil {
		return nil, closeAll(files, err)
	}
	itsLifeline, lifeline, err := pipe()
	if err != nil {
		return nil, closeAll(files, err)
	}
	c := p.command
	c.Stdout, c.Stderr, c.ExtraFiles = itsStdout, itsStderr, []*os.File{itsLifeline}
	if p.cfg.File != nil {
		// Run what was opened, not what the path leads to by now.
		c.ExtraFiles = append(c.ExtraFiles, p.cfg.File)
		c.Path = "/proc/self/fd/" + strconv.Itoa(lifelineFD+1)
	}
	if p.cfg.ShimReport != nil {
		c.ExtraFiles = append(c.ExtraFiles, p.cfg.ShimReport)
	}
	if shim := p.cfg.Shim; len(shim) > 0 {
		c.Args = append(append(slices.Clone(shim), c.Path), c.Args...)
		c.Path = shim[0]
	}
	setAttributes(c, p.cfg.Cgroup)
	if err := c.Start(); err != nil {
		return nil, closeAll(files, err)
	}
	_ = closeAll([]*os.File{itsStdout, itsStderr, itsLifeline}, nil)
	p.id = c.Process.Pid
	return &pipes{stdout: stdout, stderr: stderr, lifeline: lifeline}, nil
}

func closeAll(files []*os.File, err error) error {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
	return err
}

// readStdout passes the handshake on and keeps the rest away from the library,
// which would stop reading at a long line and so block the process.
func (p *process) readStdout(stdout io.Reader) {
	r := bufio.NewReaderSize(stdout, handshakeLine)
	line, err := r.ReadSlice('\n')
	if err != nil && len(line) > 0 {
		fmt.Fprintf(p.output, "no handshake: %.200q\n", line)
	}
	_, _ = p.toStdout.Write(line)
	if err != nil {
		_ = p.toStdout.Close()
	}
	_, _ = io.Copy(p.output, r)
}

// pid is the process's id, 0 if it doesn't run.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id
}

// kill ends the process group; before the start it prevents it.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = true
	killGroup(p.id)
	p.once.Do(func() {
		p.exit = Exit{Code: -1, Killed: true, Text: "not started"}
		p.started <- errors.New("not started")
		p.ended()
	})
}

func (p *process) terminate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = true
	terminate(p.id)
}

func (p *process) abort() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = true
	abort(p.id)
}

func (p *process) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	pauseGroup(p.id)
}

func (p *process) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	resumeGroup(p.id)
}

func exitOf(state *os.ProcessState, err error, killed bool) Exit {
	if state == nil {
		return Exit{Code: -1, Killed: killed, Text: fmt.Sprint(err)}
	}
	signal := signalOf(state)
	return Exit{Code: state.ExitCode(), Signal: signal, Killed: killed && signal != "", Text: state.String()}
}

// The rest of the library's runner.

// Stdout has the handshake.
func (p *process) Stdout() io.ReadCloser { return p.stdout }

// Stderr is empty: the output goes elsewhere.
func (p *process) Stderr() io.ReadCloser { return p.stderr }

// Name is the executable.
func (p *process) Name() string { return p.cfg.Path }

// ID is never empty: the library cleans up only after what has one.
func (p *process) ID() string { return "pid " + strconv.Itoa(p.pid()) }

// Wait returns when the process has ended.
func (p *process) Wait(context.Context) error {
	<-p.done
	return nil
}

// Kill ends the process group.
func (p *process) Kill(context.Context) error {
	p.kill()
	return nil
}

// Diagnose has nothing to add: the output is in the log.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost keeps addresses as they are.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin keeps addresses as they are.
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// lockedWriter lets stdout and stderr share a writer.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write never fails: a full log must not block the process.
func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.w.Write(b); err != nil {
		slog.Debug("plugin output lost", "err", err)
	}
	return len(b), nil
}
