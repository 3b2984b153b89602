// Command receiver shows how to take incident changes from Bellcrank: it
// verifies the Standard Webhooks signature, recognises repeats by webhook-id
// and prints a line for each delivery.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Fatal("receiver: ", err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("receiver", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:9000", "address to listen on")
	fd := flags.Uint("fd", 0, "take the listening socket that is inherited as this file descriptor, in place of -addr")
	secret := flags.String("secret", "", "signing secret, whsec_...; RECEIVER_SECRET if empty; unset: signatures aren't verified")
	fail := flags.Int("fail", 0, "answer every delivery with this status, to see what Bellcrank does")
	path := flags.String("log", "", "append a JSON line for each delivery to this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	receiver, err := newReceiver(cmp.Or(*secret, os.Getenv("RECEIVER_SECRET")), *fail, out)
	if err != nil {
		return err
	}
	if *path != "" {
		file, err := os.OpenFile(*path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("open log: %w", err)
		}
		defer file.Close()
		receiver.lines = file
	}
	listener, err := listen(ctx, *addr, *fd)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Fprintf(out, "listening on http://%s\n", listener.Addr())
	return serve(ctx, listener, receiver)
}

// listen takes the socket that is inherited as descriptor fd, or, if that is 0,
// listens on addr.
func listen(ctx context.Context, addr string, fd uint) (net.Listener, error) {
	if fd == 0 {
		var lc net.ListenConfig
		return lc.Listen(ctx, "tcp", addr)
	}
	socket := os.NewFile(uintptr(fd), "socket")
	if socket == nil {
		return nil, fmt.Errorf("no file descriptor %d", fd)
	}
	defer socket.Close()
	return net.FileListener(socket)
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := server.Shutdown(closing)
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
