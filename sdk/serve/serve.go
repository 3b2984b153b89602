// Package serve turns an sdk.Adapter into a plugin process: the whole main
// function of an adapter is
//
//	func main() { serve.Adapter(adapter{}) }
//
// It keeps the process honest on the adapter's behalf. What the adapter prints
// goes to the log and never into the handshake; a panic costs one request, not
// the process; answers leave in any order, within bounds; and when the gateway
// is gone, so is the process.
package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire"
)

// Adapter serves a until the gateway ends the process. It must be all that
// main does.
//
// A person who runs the executable learns what it is. The argument -describe
// prints the adapter's description as JSON and ends.
func Adapter(a sdk.Adapter) {
	if len(os.Args) > 1 && (os.Args[1] == "-describe" || os.Args[1] == "--describe") {
		if err := describe(os.Stdout, a.Describe()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv(wire.CookieKey) != wire.CookieValue {
		introduce(os.Stderr, a.Describe())
		os.Exit(2)
	}
	if errHandshake != nil {
		fmt.Fprintln(os.Stderr, "set stdout aside:", errHandshake)
		os.Exit(1)
	}
	s := newServer(a, os.Stderr)
	s.memory.limit()
	serve(s, handshake)
}

// Destination serves d as Adapter serves an adapter.
func Destination(d sdk.Destination) { Adapter(deliverer{d}) }

// deliverer is a destination in the place of an adapter.
type deliverer struct{ sdk.Destination }

// Describe is the destination's own, with its role.
func (d deliverer) Describe() sdk.Info {
	info := d.Destination.Describe()
	info.Role = sdk.RoleDestination
	return info
}

// Adapt refuses requests.
func (deliverer) Adapt(context.Context, sdk.Request) (sdk.Result, error) {
	return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Message: "this plugin is a destination: it reads no requests"}
}

// handshake is the real stdout if the gateway started this process. It is set
// aside while packages initialise, so that not even what a library prints then
// gets into the handshake.
var handshake, errHandshake = earlyGuard()

func earlyGuard() (*os.File, error) {
	if os.Getenv(wire.CookieKey) != wire.CookieValue || os.Getenv(wire.ShimEnv) != "" {
		return nil, nil
	}
	nameProcess()
	return guardStdout()
}

// serve runs until the server is told to stop. go-plugin prints the handshake
// to os.Stdout and then puts pipes of its own in the place of os.Stdout and
// os.Stderr; the server undoes that before the adapter's first call.
func serve(s *server, stdout *os.File) {
	os.Stdout = stdout
	defer watch(s)()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: wire.Protocol, MagicCookieKey: wire.CookieKey, MagicCookieValue: wire.CookieValue,
		},
		VersionedPlugins: map[int]plugin.PluginSet{wire.Protocol: {"adapter": registration{s: s}}},
		GRPCServer:       s.grpcServer,
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: os.Stderr, JSONFormat: true}),
	})
}

// registration is how go-plugin asks for our services.
type registration struct {
	plugin.NetRPCUnsupportedPlugin

	s *server
}

// GRPCServer registers the services.
func (r registration) GRPCServer(_ *plugin.GRPCBroker, g *grpc.Server) error {
	r.s.register(g)
	return nil
}

// GRPCClient is for gateways, which a plugin is not.
func (registration) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a plugin has no client")
}

func describe(w io.Writer, info sdk.Info) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(info); err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	return nil
}

func introduce(w io.Writer, info sdk.Info) {
	fmt.Fprintf(w, "This is the %s adapter %s, a plugin for bellcrank; the gateway starts it.\n"+
		"To see what it is, run it with -describe. To try it on a request:\n"+
		"  bellcrank plugin run %s -file BODY.json\n", info.Name, info.Version, os.Args[0])
}

// capabilities is what plugins made with this package can do besides the floor.
func (s *server) capabilities() []string {
	if _, ok := s.adapter.(deliverer); ok {
		return []string{wire.CapabilityDeliver}
	}
	return []string{wire.CapabilityExchange}
}
