package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
)

// devPorts holds the ports of a development gateway from the moment they are
// chosen: a port that was only tried may be somebody else's a moment later.
type devPorts struct {
	held map[string]*net.TCPListener // by address
}

// open listens on the first free port from first on and returns the address.
func (d *devPorts) open(ctx context.Context, first int) (address string, err error) {
	var lc net.ListenConfig
	for port := first; port < first+100; port++ {
		var listener net.Listener
		address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if listener, err = lc.Listen(ctx, "tcp", address); err != nil {
			continue
		}
		if d.held == nil {
			d.held = map[string]*net.TCPListener{}
		}
		d.held[address] = listener.(*net.TCPListener)
		return address, nil
	}
	return "", fmt.Errorf("no free port from %d to %d: %w", first, first+99, err)
}

// take hands over the listener of an address that open has returned.
func (d *devPorts) take(address string) *net.TCPListener {
	listener := d.held[address]
	delete(d.held, address)
	return listener
}

// listen hands over what is held, and opens what isn't: the configuration is
// its owner's, who may listen elsewhere.
func (d *devPorts) listen(ctx context.Context, network, address string) (net.Listener, error) {
	if listener := d.take(address); listener != nil {
		return listener, nil
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, network, address)
}

// close lets go of what nobody took.
func (d *devPorts) close() {
	for _, listener := range d.held {
		_ = listener.Close() // nobody has connected
	}
}

// inherit makes a descriptor of a listener for a child process, and closes it
// here.
func inherit(listener *net.TCPListener) (*os.File, error) {
	defer func() { _ = listener.Close() }() // the descriptor lives on, or there is none
	return listener.File()
}
