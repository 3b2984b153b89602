package main

import (
	"testing"

	"bellcrank.example/sdk/sdktest"
)

// TestAdapter holds the adapter to the contract and to its cases in testdata.
func TestAdapter(t *testing.T) { sdktest.Run(t, adapter{}) }
