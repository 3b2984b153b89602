// Package scaffold makes the folder of a new plugin: it builds, passes the
// conformance kit and runs before its author has typed anything.
//
// What the plugin reads is drafted from one body that the vendor has sent, by
// the names and values of its members. The draft is the same for every
// language; a language is a folder of templates (languages).
package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Config says what to make. Name is required.
type Config struct {
	Name     string // type of the integration: lower case letters, digits and hyphens
	Language string // "go" if empty
	Dir      string // the folder to make; the name if empty
	Sample   []byte // a body that the vendor has sent; one that we made up if empty
	SDK      string // folder of a checkout of this module to build against; the SDK is unpacked into the new folder if empty
	Version  string // of the program that makes it
}

// Plugin is what templates are filled with.
type Plugin struct {
	Config
	Title string // the name for people, such as "Acme"
	Draft *Draft
	Cases []Case // the problem first, then its end
	Next  []Step // what to do with the folder
}

// Step is one command, and what it is good for.
type Step struct{ Command, Why string }

// New makes the folder, and returns what is in it by path. A folder that is
// there is left alone.
func New(c Config) (*Plugin, []string, error) {
	p, language, err := plan(c)
	if err != nil {
		return nil, nil, err
	}
	files, err := p.files(language)
	if err != nil {
		return nil, nil, err
	}
	if err := write(p.Dir, files); err != nil {
		return nil, nil, err
	}
	var paths []string
	for path := range files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return p, paths, nil
}

// name is what the conformance kit takes for a type.
var name = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// maxName bounds the length of a name: it is part of paths and metrics.
const maxName = 40

// reserved are names that the executable can't have.
var reserved = []string{"bellcrank", "testdata", "vendor"}

func plan(c Config) (*Plugin, *Language, error) {
	if !name.MatchString(c.Name) || len(c.Name) > maxName {
		return nil, nil, fmt.Errorf("%q can't be the name of a plugin: want a lower case letter, then lower case letters, digits and hyphens, %d at most", c.Name, maxName)
	}
	if slices.Contains(reserved, c.Name) {
		return nil, nil, fmt.Errorf("%q can't be the name of a plugin: its folder has a part of that name", c.Name)
	}
	language, err := languageOf(c.Language)
	if err != nil {
		return nil, nil, err
	}
	if c.Dir == "" {
		c.Dir = c.Name
	}
	if len(bytes.TrimSpace(c.Sample)) == 0 {
		c.Sample = []byte(madeUp)
	}
	draft, err := NewDraft(c.Sample)
	if err != nil {
		return nil, nil, err
	}
	p := &Plugin{Config: c, Title: titleOf(c.Name), Draft: draft}
	if p.Cases, err = draft.cases(); err != nil {
		return nil, nil, err
	}
	return p, language, nil
}

// titleOf makes "Acme Cloud" of "acme-cloud".
func titleOf(name string) string {
	words := strings.FieldsFunc(name, func(c rune) bool { return c == '-' })
	for i, word := range words {
		runes := []rune(word)
		runes[0] = unicode.ToUpper(runes[0])
		words[i] = string(runes)
	}
	return strings.Join(words, " ")
}

// files are the contents of the folder by path.
func (p *Plugin) files(language *Language) (map[string]file, error) {
	files := map[string]file{}
	for _, c := range p.Cases {
		folder := filepath.Join("testdata", c.Name)
		files[filepath.Join(folder, "request.json")] = file{content: c.Request}
		files[filepath.Join(folder, "want.json")] = file{content: c.Want}
	}
	p.Next = language.Next(p)
	rendered, err := language.render(p)
	if err != nil {
		return nil, err
	}
	more, err := language.More(p)
	if err != nil {
		return nil, err
	}
	for _, some := range []map[string]file{rendered, more} {
		for path, f := range some {
			files[path] = f
		}
	}
	return files, nil
}

// file is a file to write.
type file struct {
	content    []byte
	executable bool
}

// write makes the folder whole or not at all: it appears under its name once
// everything is in it.
func write(dir string, files map[string]file) error {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fmt.Errorf("%s is there already: name another folder with -o, or remove it", dir)
		}
		return err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	building, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+"-")
	if err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(building) }() // gone by then if all went well
	for path, f := range files {
		if err := f.write(filepath.Join(building, path)); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	if err := os.Chmod(building, 0o755); err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	if err := os.Rename(building, dir); err != nil {
		return fmt.Errorf("name the folder: %w", err)
	}
	return nil
}

func (f file) write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if f.executable {
		mode = 0o755
	}
	return os.WriteFile(path, f.content, mode)
}
