package pluginhost

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxEntries and maxFolder bound a plugin's folder, in files and bytes: all of
// it is read at each start.
const (
	maxEntries = 50_000
	maxFolder  = 512 << 20
)

// Digest is the SHA-256, in hex, of what a program runs: of the executable, or
// of its folder. The latter is that of a line for each file, in the order of
// their paths: the file's SHA-256 in hex, two spaces, and its path with
// slashes; for a symbolic link, "link " and its target instead of the first.
// The interpreter belongs to the system, which mends it under the same name.
func (p Program) Digest() (string, error) {
	if p.Folder != "" {
		return digestFolder(p.Folder)
	}
	f, err := os.Open(p.Path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", p.Path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func digestFolder(folder string) (string, error) {
	w := folderWalk{folder: folder}
	if err := filepath.WalkDir(folder, w.entry); err != nil {
		return "", err
	}
	slices.SortFunc(w.lines, func(a, b line) int { return strings.Compare(a.path, b.path) })
	h := sha256.New()
	for _, l := range w.lines {
		fmt.Fprintf(h, "%s  %s\n", l.content, l.path)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// line is what the digest of a folder says of one entry.
type line struct{ content, path string }

// folderWalk reads a plugin's folder. It takes nothing that others could
// replace, nor what isn't wholly inside.
type folderWalk struct {
	folder  string
	lines   []line
	entries int
	bytes   int64
}

// entry is for filepath.WalkDir.
func (w *folderWalk) entry(path string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	if err := trusted(path, info); err != nil {
		return err
	}
	if w.entries++; w.entries > maxEntries {
		return fmt.Errorf("%s holds more than %d files: it must hold nothing but the plugin", w.folder, maxEntries)
	}
	name, err := filepath.Rel(w.folder, path)
	if err != nil || d.IsDir() {
		return err
	}
	content, err := w.content(path, name, info)
	if err != nil {
		return err
	}
	w.lines = append(w.lines, line{content: content, path: filepath.ToSlash(name)})
	return nil
}

// content is what a line says of an entry.
func (w *folderWalk) content(path, name string, info fs.FileInfo) (string, error) {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) || !filepath.IsLocal(filepath.Join(filepath.Dir(name), target)) {
			return "", fmt.Errorf("%s is a link to %s, outside the plugin's folder", path, target)
		}
		return "link " + filepath.ToSlash(target), nil
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no regular file, but %s", path, info.Mode().Type())
	}
	w.bytes += info.Size()
	if w.bytes > maxFolder {
		return "", fmt.Errorf("%s holds more than %d bytes: it must hold nothing but the plugin", w.folder, int64(maxFolder))
	}
	sum, err := Program{Path: path}.Digest()
	if errors.Is(err, fs.ErrPermission) {
		return "", fmt.Errorf("the plugin's files must be readable by the gateway: %w", err)
	}
	return sum, err
}
