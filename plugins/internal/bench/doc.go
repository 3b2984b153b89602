// Package bench compares the ways to call an adapter, side by side in one run:
// its tests hold real servers, a real plugin and a load on one machine.
package bench
