package serve

import (
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"bellcrank.example/sdk/internal/wire"
)

// drainTimeout bounds how long a process that was told to end waits for the
// calls in it.
const drainTimeout = 10 * time.Second

// flushTime is how long answers take at most from the program to the socket.
const flushTime = 100 * time.Millisecond

// watch ends the process with the gateway, and after the last call when the
// process is told to end. The function that it returns ends the watching.
func watch(s *server) (stop func()) {
	if lifeline := lifeline(); lifeline != nil {
		// This goroutine has no end but the process's own: nothing interrupts
		// reading a pipe that was opened by somebody else.
		go func() {
			_, _ = io.Copy(io.Discard, lifeline)
			os.Exit(1)
		}()
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-asked:
			drain(s, over)
		case <-over:
		}
	}()
	return func() {
		signal.Stop(asked)
		close(over)
		<-ended
	}
}

// drain stops the server once no call is in it. A gateway that is draining
// itself may go on calling meanwhile.
func drain(s *server, over <-chan struct{}) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(drainTimeout)
	// What was sent last may not have left yet, and Stop would throw it away; what
	// was read last may not have been counted yet. A graceful stop doesn't help:
	// the gateway's streams never end.
	for quiet := time.Duration(0); quiet < flushTime; quiet += 10 * time.Millisecond {
		if s.inFlight.Load() > 0 {
			quiet = 0
		}
		select {
		case <-tick.C:
			continue
		case <-end:
		case <-over:
			return
		}
		break
	}
	if g := s.grpc.Load(); g != nil {
		g.Stop()
		return
	}
	os.Exit(0) // told to end before it had begun
}

// lifeline returns the pipe whose end of file means that the gateway is gone;
// nil if there is none.
func lifeline() *os.File {
	fd, err := strconv.ParseUint(os.Getenv(wire.LifelineEnv), 10, 16)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), "lifeline")
}
