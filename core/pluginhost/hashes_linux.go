package pluginhost

import (
	"io/fs"
	"syscall"
)

// identityOf is what the kernel knows of a file.
func identityOf(info fs.FileInfo) (identity, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}, false
	}
	return identity{
		device: stat.Dev, inode: stat.Ino, size: stat.Size,
		modified: stat.Mtim.Nano(), changed: stat.Ctim.Nano(),
	}, true
}
