package pluginhost

import (
	"io/fs"
	"os"
)

func openExecutable(path string) (*os.File, error) { return os.Open(path) }

// checkOwners doesn't look at access control lists.
func checkOwners(string, fs.FileInfo) (remark string, err error) { return "", nil }

// trusted doesn't either.
func trusted(string, fs.FileInfo) error { return nil }
