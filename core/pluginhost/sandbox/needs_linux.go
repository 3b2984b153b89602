package sandbox

import (
	"debug/elf"
	"io"
	"os"
	"slices"
)

var (
	// libraries is what a dynamically linked program loads.
	libraries = []string{"/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache"}
	// interpreters is what a script runs in, besides.
	interpreters = []string{"/bin", "/usr/bin", "/usr/local/bin", "/usr/share", "/usr/local/share"}
)

// needs lists what an executable can't run without: nothing for a static one.
// Programs and libraries of the system are no secret, and a process that can
// start no other gains nothing by executing them.
func needs(file string) []string {
	f, err := os.Open(file)
	if err != nil {
		return nil // executing it will say why
	}
	defer f.Close()
	start := make([]byte, 2)
	if _, err := io.ReadFull(f, start); err == nil && string(start) == "#!" {
		return slices.Concat(libraries, interpreters)
	}
	program, err := elf.NewFile(f)
	if err != nil {
		return nil
	}
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP {
			return libraries
		}
	}
	return nil
}
