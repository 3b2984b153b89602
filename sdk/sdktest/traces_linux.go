package sdktest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// descriptor is one open file of a process.
type descriptor struct {
	path     string // what it leads to, such as "/tmp/x" or "socket:[123]"
	writable bool
	network  string // "tcp", "udp" …; "" if it is none
}

// descriptors lists what a process has open.
func descriptors(pid int) []descriptor {
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return nil
	}
	sockets := networkSockets(pid)
	var list []descriptor
	for _, link := range links {
		path, err := os.Readlink(link)
		if err != nil {
			continue // closed meanwhile
		}
		list = append(list, descriptor{path: path, writable: isWritable(pid, filepath.Base(link)), network: sockets[path]})
	}
	return list
}

func openFiles(pid int) int { return len(descriptors(pid)) }

// isWritable reads the access mode, the last octal digit of proc(5)'s flags.
func isWritable(pid int, fd string) bool {
	info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, fd))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(info)) {
		if flags, ok := strings.CutPrefix(line, "flags:"); ok {
			mode, err := strconv.ParseUint(strings.TrimSpace(flags), 8, 64)
			return err == nil && mode&(uint64(os.O_WRONLY)|uint64(os.O_RDWR)) != 0
		}
	}
	return false
}

// networkSockets returns the sockets of the process's network, by what a
// descriptor's link says.
func networkSockets(pid int) map[string]string {
	sockets := map[string]string{}
	for _, protocol := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6"} {
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, protocol))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(table)) {
			const inode = 9 // the tenth column of proc_pid_net(5)
			if columns := strings.Fields(line); len(columns) > inode {
				sockets["socket:["+columns[inode]+"]"] = protocol
			}
		}
	}
	return sockets
}
