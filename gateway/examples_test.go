package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestTheExamplesHaveTheContract holds the copies of the contract, which an
// interpreter reads from the plugin's own folder, to the original.
func TestTheExamplesHaveTheContract(t *testing.T) {
	want, err := os.ReadFile("../sdk/proto/adapter/v1/adapter.proto")
	if err != nil {
		t.Fatal(err)
	}
	copies, err := filepath.Glob("../examples/*/adapter.proto")
	if err != nil || len(copies) == 0 {
		t.Fatalf("no copy of the contract: %v", err)
	}
	for _, file := range copies {
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s isn't sdk/proto/adapter/v1/adapter.proto: copy it again", file)
		}
	}
}
