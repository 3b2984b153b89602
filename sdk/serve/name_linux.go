package serve

import (
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nameProcess gives the process its executable's name in ps and top: the
// gateway runs it by a file descriptor, whose number would stand there. It is
// the main thread's name, on which packages initialise. A confined process
// can't write to /proc.
func nameProcess() {
	name := append([]byte(filepath.Base(os.Args[0])), 0)
	_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0)
}
