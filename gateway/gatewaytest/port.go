package gatewaytest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"sync"
)

// Ports that no system hands out by itself: a gateway that is killed and
// started again must find its port still free, whatever connects meanwhile.
const (
	firstPort = 15_000
	ports     = 15_000
)

// FreeAddress returns an address of this machine that nobody listens on, for a
// process that is told where to listen.
func FreeAddress(t interface{ Fatal(args ...any) }) string {
	var lc net.ListenConfig
	var err error
	for range 100 {
		port := firstPort + rand.IntN(ports)
		if !claim(port) {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		var l net.Listener
		if l, err = lc.Listen(context.Background(), "tcp", address); err == nil {
			if err = l.Close(); err == nil {
				return address
			}
		}
	}
	t.Fatal("no port is free: ", err)
	return ""
}

// claims are ports that this process has given away.
var claims struct {
	mu    sync.Mutex
	given map[int]net.Listener
}

// claim reports whether nobody has been given a port before, in this process or
// in those whose tests run beside it: whoever has it may not listen there yet. On
// Linux a name that is nobody's file says so until this process ends.
func claim(port int) bool {
	claims.mu.Lock()
	defer claims.mu.Unlock()
	if _, given := claims.given[port]; given {
		return false
	}
	var name net.Listener
	if runtime.GOOS == "linux" {
		var lc net.ListenConfig
		var err error
		if name, err = lc.Listen(context.Background(), "unix", fmt.Sprint("@bellcrank-test-port-", port)); err != nil {
			return false
		}
	}
	if claims.given == nil {
		claims.given = map[int]net.Listener{}
	}
	claims.given[port] = name
	return true
}
