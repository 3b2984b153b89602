//go:build linux

package bench

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// figures are what one load has shown.
type figures struct {
	rate     float64 // requests a second
	p50, p99 time.Duration
}

// load sends requests on so many keep-alive connections, the next on each as
// soon as its answer is there. It is one thread around epoll: the less the
// sender takes of the processors, the more the servers show.
type load struct {
	poll  int
	conns map[int32]*sender
	took  []time.Duration
	// next returns the bytes of the next request.
	next func() []byte
}

// sender is one connection.
type sender struct {
	file *os.File
	fd   int
	sent time.Time
}

func dialLoad(addr string, connections int, next func() []byte) (*load, error) {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &load{poll: poll, conns: map[int32]*sender{}, next: next}
	for range connections {
		if err := l.dial(addr); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

func (l *load) dial(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		return err
	}
	s := &sender{file: file, fd: int(file.Fd())} // Fd makes it blocking: what is written goes out whole
	l.conns[int32(s.fd)] = s
	return unix.EpollCtl(l.poll, unix.EPOLL_CTL_ADD, s.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.fd)})
}

func (l *load) close() {
	for _, s := range l.conns {
		s.file.Close()
	}
	unix.Close(l.poll)
}

// run sends for so long and waits for the last answers.
func (l *load) run(during time.Duration) (figures, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := time.Now()
	l.took = l.took[:0]
	for _, s := range l.conns {
		if err := l.send(s); err != nil {
			return figures{}, err
		}
	}
	events := make([]unix.EpollEvent, len(l.conns))
	for open := len(l.conns); open > 0; {
		n, err := unix.EpollWait(l.poll, events, 10_000)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return figures{}, err
		case n == 0:
			return figures{}, fmt.Errorf("%d requests without an answer in ten seconds", open)
		}
		now := time.Now()
		for _, event := range events[:n] {
			s := l.conns[event.Fd]
			if err := s.receive(); err != nil {
				return figures{}, err
			}
			l.took = append(l.took, now.Sub(s.sent))
			if now.Sub(began) > during {
				open--
			} else if err := l.send(s); err != nil {
				return figures{}, err
			}
		}
	}
	elapsed := time.Since(began)
	slices.Sort(l.took)
	return figures{
		rate: float64(len(l.took)) / elapsed.Seconds(),
		p50:  l.took[len(l.took)/2], p99: l.took[len(l.took)*99/100],
	}, nil
}

func (l *load) send(s *sender) error {
	s.sent = time.Now()
	_, err := unix.Write(s.fd, l.next())
	return err
}

// receive reads an answer, which comes in one piece.
func (s *sender) receive() error {
	var buffer [1024]byte
	n, err := unix.Read(s.fd, buffer[:])
	if err != nil {
		return err
	}
	if answer := buffer[:n]; !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 ")) || !bytes.HasSuffix(answer, []byte(accepted)) {
		return fmt.Errorf("answer %q", answer)
	}
	return nil
}
