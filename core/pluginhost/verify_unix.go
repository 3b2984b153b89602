//go:build unix

package pluginhost

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// openExecutable refuses a symbolic link, and doesn't wait at a named pipe.
func openExecutable(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link: name the file itself", path)
	}
	return f, err
}

// checkOwners refuses what others could replace: the file itself, and every
// folder above it. A sticky folder, such as the one for temporary files, may
// stand above the folder that holds the file.
func checkOwners(path string, info fs.FileInfo) (remark string, err error) {
	if err := trusted(path, info); err != nil {
		return "", err
	}
	if info.Mode()&0o020 != 0 {
		remark = "its group may write " + path
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	for holds := true; ; holds = false {
		info, err := os.Stat(folder)
		if err != nil {
			return "", err
		}
		if err := ours(folder, info); err != nil {
			return "", err
		}
		if info.Mode()&0o002 != 0 && (holds || info.Mode()&fs.ModeSticky == 0) {
			return "", fmt.Errorf("everybody may write to the folder %s", folder)
		}
		if info.Mode()&0o020 != 0 && info.Mode()&fs.ModeSticky == 0 {
			remark = "its group may write to " + folder
		}
		if parent := filepath.Dir(folder); parent != folder {
			folder = parent
			continue
		}
		return remark, nil
	}
}

// trusted refuses what others own or may write. The mode of a symbolic link
// says nothing.
func trusted(path string, info fs.FileInfo) error {
	if err := ours(path, info); err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink == 0 && info.Mode()&0o002 != 0 {
		return fmt.Errorf("everybody may write %s", path)
	}
	return nil
}

// ours refuses what belongs to somebody else than root and us.
func ours(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d: only root and the gateway's user are trusted", path, stat.Uid)
	}
	return nil
}
