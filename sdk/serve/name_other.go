//go:build !linux

package serve

// nameProcess is for Linux, where a process is run by a descriptor.
func nameProcess() {}
