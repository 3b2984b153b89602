package gatewaytest

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
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
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+rand.IntN(ports)))
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
