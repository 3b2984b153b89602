package main

import (
	"testing"

	"bellcrank.example/sdk/sdktest"
)

func TestAdapter(t *testing.T) { sdktest.Run(t, adapter{}) }

func FuzzAdapter(f *testing.F) { sdktest.Fuzz(f, adapter{}) }
