// Command liar is a plugin made without the SDK, which therefore can speak the
// contract wrongly: it lies in whatever way a request's "do", or the variable
// START, tells it to. Tests run it as a real process. It never ends when it is
// asked to.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// The handshake of every adapter.
const (
	protocol    = 1
	cookieKey   = "BELLCRANK_PLUGIN"
	cookieValue = "6f1d0c0e-adapter"
)

// description is what Describe answers.
const description = `{"type":"liar","name":"Liar","version":"1.0.0","summary":"Speaks the contract wrongly."}`

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-describe" {
		fmt.Println(description)
		return
	}
	cookie := cookieValue
	if os.Getenv("START") == "cookie" {
		cookie = "made for somebody else"
	}
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  plugin.HandshakeConfig{ProtocolVersion: protocol, MagicCookieKey: cookieKey, MagicCookieValue: cookie},
		VersionedPlugins: map[int]plugin.PluginSet{protocol: {"adapter": adapter{}}},
		GRPCServer:       server,
	})
}

// server answers the library's own services as they should be, but Shutdown,
// and everything else with lies.
func server(options []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(options, grpc.UnknownServiceHandler(handle), grpc.UnaryInterceptor(
		func(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if info.FullMethod == "/plugin.GRPCController/Shutdown" {
				time.Sleep(time.Hour)
			}
			return next(ctx, request)
		}))...)
}

// adapter registers nothing: the server hands on what it doesn't know.
type adapter struct{ plugin.NetRPCUnsupportedPlugin }

// GRPCServer registers nothing.
func (adapter) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

// GRPCClient is for gateways.
func (adapter) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a plugin has no client")
}
