package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
)

// maxFile bounds a file that is read, in bytes.
const maxFile = 16 << 20

// find lists the configuration files of a path.
func find(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && isConfig(e.Name()) {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("read configuration: no *.hcl or *.hcl.json file in %s", path)
	}
	return files, nil
}

// isConfig leaves out what editors and package managers leave behind.
func isConfig(name string) bool {
	return name != LockName && !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "#") &&
		(strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".hcl.json"))
}

// parse reads all files into one body.
func (l *loader) parse() hcl.Body {
	parser := hclparse.NewParser()
	var parsed []*hcl.File
	for _, path := range l.src.Paths {
		files, err := find(path)
		if err != nil {
			l.errorf(nil, "Can't read configuration", "%v", err)
		}
		for _, name := range files {
			if slices.Contains(l.cfg.Files, name) {
				continue
			}
			l.cfg.Files = append(l.cfg.Files, name)
			parsed = append(parsed, l.parseFile(parser, name))
		}
	}
	if len(l.src.Paths) == 0 {
		l.errorf(nil, "No configuration", "Name a file or a directory.")
	}
	l.files = parser.Files()
	return hcl.MergeFiles(slices.DeleteFunc(parsed, func(f *hcl.File) bool { return f == nil || f.Body == nil }))
}

func (l *loader) parseFile(parser *hclparse.Parser, name string) *hcl.File {
	src, err := l.src.ReadFile(name)
	if err == nil && len(src) > maxFile {
		err = fmt.Errorf("%s is longer than %d bytes", name, maxFile)
	}
	if err != nil {
		l.errorf(nil, "Can't read configuration", "%v", err)
		return nil
	}
	parse := parser.ParseHCL
	if strings.HasSuffix(name, ".json") {
		parse = parser.ParseJSON
	}
	file, diags := parse(src, name)
	l.note(diags)
	return file
}

// LockFile returns where the lock file of a configuration is: LockName in the
// first of its paths, or beside it if that is a file.
func LockFile(paths []string) string {
	if len(paths) == 0 {
		return LockName
	}
	folder := paths[0]
	if info, err := os.Stat(folder); err == nil && !info.IsDir() {
		folder = filepath.Dir(folder)
	}
	return filepath.Join(folder, LockName)
}

// resolve makes a path absolute or relative to the file that it is written in,
// so that what it means doesn't depend on where the gateway was started.
func resolve(path string, at hcl.Range) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(at.Filename), path)
}
