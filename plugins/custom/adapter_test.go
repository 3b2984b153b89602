package main

import (
	"testing"

	"bellcrank.example/sdk/sdktest"
)

func TestAdapter(t *testing.T) { sdktest.Run(t, newAdapter()) }

func FuzzAdapter(f *testing.F) { sdktest.Fuzz(f, newAdapter()) }
