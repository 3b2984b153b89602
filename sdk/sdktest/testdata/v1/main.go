// Command v1 is a plugin of the time when the contract was new. It knows the
// messages of then alone, from contract.binpb, and nothing of this module: what
// today's gateway sends and asks must still be enough for it. Neither file is
// to be changed.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

//go:embed contract.binpb
var contract []byte

const info = `{"type":"broken","name":"Veteran","version":"1.0.0","summary":"Was built long ago.","setup":"Send to {{url}}.",` +
	`"samples":[{"name":"one","body":{"name":"x"}}]}`

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-describe" {
		fmt.Println(info)
		return
	}
	file, err := load()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if fd, err := strconv.Atoi(os.Getenv("BELLCRANK_LIFELINE_FD")); err == nil {
		go func() {
			_, _ = io.Copy(io.Discard, os.NewFile(uintptr(fd), "lifeline"))
			os.Exit(1)
		}()
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "BELLCRANK_PLUGIN", MagicCookieValue: "6f1d0c0e-adapter"},
		VersionedPlugins: map[int]plugin.PluginSet{1: {"adapter": veteran{file: file}}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.MaxRecvMsgSize(17<<20))...)
		},
	})
}

func load() (protoreflect.FileDescriptor, error) {
	var described descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(contract, &described); err != nil {
		return nil, err
	}
	return protodesc.NewFile(&described, nil)
}

type veteran struct {
	plugin.NetRPCUnsupportedPlugin

	file protoreflect.FileDescriptor
}

// GRPCClient is for gateways.
func (veteran) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a plugin has no client")
}

// GRPCServer registers the services of then.
func (v veteran) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	answer := map[protoreflect.Name]func(in, out *dynamicpb.Message){
		"Describe": func(_, out *dynamicpb.Message) {
			set(out, "info_json", protoreflect.ValueOfBytes([]byte(info)))
			list := out.Mutable(field(out, "capabilities")).List()
			list.Append(protoreflect.ValueOfString("exchange"))
		},
		"Configure": func(_, _ *dynamicpb.Message) {},
		"Release":   func(_, _ *dynamicpb.Message) {},
		"Adapt":     v.adapt,
	}
	for i := range v.file.Services().Len() {
		service := v.file.Services().Get(i)
		described := grpc.ServiceDesc{ServiceName: string(service.FullName()), HandlerType: (*any)(nil)}
		for j := range service.Methods().Len() {
			method := service.Methods().Get(j)
			if do := answer[method.Name()]; do != nil {
				described.Methods = append(described.Methods, unary(method, do))
			}
		}
		if service.Name() == "Adapter" {
			method := service.Methods().ByName("Exchange")
			described.Streams = []grpc.StreamDesc{{StreamName: "Exchange", ServerStreams: true, ClientStreams: true, Handler: v.exchange(method)}}
		}
		s.RegisterService(&described, v)
	}
	return nil
}

func unary(method protoreflect.MethodDescriptor, do func(in, out *dynamicpb.Message)) grpc.MethodDesc {
	return grpc.MethodDesc{
		MethodName: string(method.Name()),
		Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			in, out := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
			if err := decode(in); err != nil {
				return nil, err
			}
			do(in, out)
			return out, nil
		},
	}
}

func (v veteran) exchange(method protoreflect.MethodDescriptor) grpc.StreamHandler {
	return func(_ any, stream grpc.ServerStream) error {
		for {
			in, out := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
			if err := stream.RecvMsg(in); err != nil {
				return nil // the gateway has gone
			}
			v.adapt(in, out)
			if err := stream.SendMsg(out); err != nil {
				return err
			}
		}
	}
}

// adapt makes one event of a body with a name.
func (v veteran) adapt(in, out *dynamicpb.Message) {
	set(out, "call", in.Get(field(in, "call")))
	set(out, "id", in.Get(field(in, "id")))
	var body struct{ Name, State string }
	if err := json.Unmarshal(in.Get(field(in, "body")).Bytes(), &body); err != nil || body.Name == "" {
		failure := out.Mutable(field(out, "failure")).Message()
		set(failure, "code", v.enum("FailureCode", "FAILURE_CODE_MALFORMED"))
		set(failure, "path", protoreflect.ValueOfString("name"))
		set(failure, "message", protoreflect.ValueOfString("want a name"))
		return
	}
	events := out.Mutable(field(out, "result")).Message()
	event := events.Mutable(field(events, "events")).List().AppendMutable().Message()
	set(event, "action", v.enum("Action", "ACTION_TRIGGER"))
	if body.State == "ok" {
		set(event, "action", v.enum("Action", "ACTION_RESOLVE"))
	}
	set(event, "dedup_key", protoreflect.ValueOfString(body.Name))
	set(event, "title", protoreflect.ValueOfString("About "+body.Name))
}

func (v veteran) enum(name, value protoreflect.Name) protoreflect.Value {
	return protoreflect.ValueOfEnum(v.file.Enums().ByName(name).Values().ByName(value).Number())
}

func field(m protoreflect.Message, name protoreflect.Name) protoreflect.FieldDescriptor {
	return m.Descriptor().Fields().ByName(name)
}

func set(m protoreflect.Message, name protoreflect.Name, value protoreflect.Value) {
	m.Set(field(m, name), value)
}
