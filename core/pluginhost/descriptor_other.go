//go:build !linux

package pluginhost

// runsByDescriptor: a file is hashed and then run by its path, which leaves a
// moment in which it could be exchanged.
const runsByDescriptor = false
