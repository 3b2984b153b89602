package wire

import (
	"bytes"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"bellcrank.example/sdk/internal/wire/adapterv1"
)

// TestTheCompiledContractIsUpToDate holds the form of the contract that
// languages without a compiler at hand load. UPDATE=1 writes it.
func TestTheCompiledContractIsUpToDate(t *testing.T) {
	const file = "../../../examples/adapter-python/adapter.desc"
	set := &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(adapterv1.File_adapter_v1_adapter_proto),
	}}
	want, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s isn't the contract's: run this test with UPDATE=1", file)
	}
}
