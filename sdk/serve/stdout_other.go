//go:build !unix

package serve

import "os"

// guardStdout guards only what is printed through os.Stdout.
func guardStdout() (*os.File, error) {
	out := os.Stdout
	os.Stdout = os.Stderr
	return out, nil
}
