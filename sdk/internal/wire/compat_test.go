package wire

import (
	"fmt"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"bellcrank.example/sdk/internal/wire/adapterv1"
)

// firstContract is the contract as it was when it was first served. Plugins
// that were built then are in use.
func firstContract(t *testing.T) protoreflect.FileDescriptor {
	t.Helper()
	content, err := os.ReadFile("../../sdktest/testdata/v1/contract.binpb")
	if err != nil {
		t.Fatal(err)
	}
	var described descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(content, &described); err != nil {
		t.Fatal(err)
	}
	file, err := protodesc.NewFile(&described, nil)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestTheContractOnlyGrows holds today's messages to those of the first
// contract: each call, field and value is still there, and means the same. What
// can't be kept so becomes protocol version 2, beside this one.
func TestTheContractOnlyGrows(t *testing.T) {
	first, now := firstContract(t), (&adapterv1.Event{}).ProtoReflect().Descriptor().ParentFile()
	for _, complaint := range broken(first, now) {
		t.Errorf("%s: a plugin that is in use would break. Keep it, and add what is new beside it.", complaint)
	}
}

// TestABrokenContractIsNoticed turns the comparison round with a contract that
// lacks and changes what the first one had.
func TestABrokenContractIsNoticed(t *testing.T) {
	first := firstContract(t)
	tests := map[string]struct {
		change func(*descriptorpb.FileDescriptorProto)
		want   string
	}{
		"a field is gone": {func(f *descriptorpb.FileDescriptorProto) { f.MessageType[0].Field = f.MessageType[0].Field[1:] }, "%s.%s is gone"},
		"a field has another type": {func(f *descriptorpb.FileDescriptorProto) {
			f.MessageType[0].Field[0].Type = descriptorpb.FieldDescriptorProto_TYPE_BOOL.Enum()
		}, "%s.%s was optional bytes, and is optional bool"},
		"a field has another name": {func(f *descriptorpb.FileDescriptorProto) { f.MessageType[0].Field[0].Name = proto.String("other") }, "%s.%s has another name: other"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			changed := protodesc.ToFileDescriptorProto(first)
			for len(changed.MessageType[0].Field) == 0 { // an empty message has nothing to break
				changed.MessageType = append(changed.MessageType[1:], changed.MessageType[0])
			}
			message, field := changed.MessageType[0].GetName(), changed.MessageType[0].Field[0].GetName()
			tt.change(changed)
			now, err := protodesc.NewFile(changed, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := broken(first, now)
			if want := fmt.Sprintf(tt.want, message, field); len(got) != 1 || got[0] != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	if got := broken(first, first); len(got) > 0 {
		t.Errorf("the contract breaks itself: %q", got)
	}
}

// broken lists what a contract has lost since the first one.
func broken(first, now protoreflect.FileDescriptor) []string {
	var all []string
	for i := range first.Messages().Len() {
		was := first.Messages().Get(i)
		is := now.Messages().ByName(was.Name())
		if is == nil {
			all = append(all, fmt.Sprintf("%s is gone", was.Name()))
			continue
		}
		all = append(all, brokenFields(was, is)...)
	}
	for i := range first.Enums().Len() {
		was := first.Enums().Get(i)
		is := now.Enums().ByName(was.Name())
		for j := range was.Values().Len() {
			if v := was.Values().Get(j); is == nil || is.Values().ByNumber(v.Number()) == nil || is.Values().ByNumber(v.Number()).Name() != v.Name() {
				all = append(all, fmt.Sprintf("the value %s of %s is gone", v.Name(), was.Name()))
			}
		}
	}
	for i := range first.Services().Len() {
		was := first.Services().Get(i)
		is := now.Services().ByName(was.Name())
		for j := range was.Methods().Len() {
			if m := was.Methods().Get(j); is == nil || callOf(is.Methods().ByName(m.Name())) != callOf(m) {
				all = append(all, fmt.Sprintf("the call %s.%s is another one", was.Name(), m.Name()))
			}
		}
	}
	return all
}

func brokenFields(was, is protoreflect.MessageDescriptor) []string {
	var all []string
	for i := range was.Fields().Len() {
		f := was.Fields().Get(i)
		g := is.Fields().ByNumber(f.Number())
		switch {
		case g == nil:
			all = append(all, fmt.Sprintf("%s.%s is gone", was.Name(), f.Name()))
		case g.Name() != f.Name():
			all = append(all, fmt.Sprintf("%s.%s has another name: %s", was.Name(), f.Name(), g.Name()))
		case typeOf(g) != typeOf(f):
			all = append(all, fmt.Sprintf("%s.%s was %s, and is %s", was.Name(), f.Name(), typeOf(f), typeOf(g)))
		}
	}
	return all
}

func typeOf(f protoreflect.FieldDescriptor) string {
	kind := f.Cardinality().String() + " " + f.Kind().String()
	if f.Message() != nil {
		kind += " " + string(f.Message().Name())
	}
	if f.Enum() != nil {
		kind += " " + string(f.Enum().Name())
	}
	if one := f.ContainingOneof(); one != nil {
		kind += " of " + string(one.Name())
	}
	return kind
}

func callOf(m protoreflect.MethodDescriptor) string {
	if m == nil {
		return ""
	}
	return fmt.Sprint(m.Input().Name(), m.IsStreamingClient(), m.Output().Name(), m.IsStreamingServer())
}
