package scaffold

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"text/template"
)

// Language is a programming language in which `plugin new` can begin a plugin.
type Language struct {
	// Name is what -lang takes, and the folder below templates that holds the
	// language's templates: every file NAME.tmpl in it, filled with a Plugin,
	// becomes NAME. Other files are copied; those called run are executable.
	Name string
	// Funcs are the functions that its templates call besides those of
	// text/template and quote, which writes a text as JSON does.
	Funcs template.FuncMap
	// Format lays out a filled template; nil: it stays as it is.
	Format func(name string, content []byte) ([]byte, error)
	// More returns what can't be a template, such as what the plugin is built
	// with.
	More func(*Plugin) (map[string]file, error)
	// Next lists the commands that build, test and run the new plugin.
	Next func(*Plugin) []Step
}

// languages lists all there are. Add one here, in a file of its own beside
// golang.go, and its templates below templates.
func languages() []*Language { return []*Language{golang(), node(), python()} }

//go:embed all:templates
var templates embed.FS

// Languages lists what -lang takes.
func Languages() []string {
	var names []string
	for _, l := range languages() {
		names = append(names, l.Name)
	}
	return names
}

func languageOf(name string) (*Language, error) {
	for _, l := range languages() {
		if l.Name == name || name == "" {
			return l, nil
		}
	}
	return nil, fmt.Errorf("there is no template in %q: want %s", name, strings.Join(Languages(), ", "))
}

// render fills the language's templates.
func (l *Language) render(p *Plugin) (map[string]file, error) {
	files := map[string]file{}
	root := path.Join("templates", l.Name)
	err := fs.WalkDir(templates, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(templates, name)
		if err != nil {
			return err
		}
		relative := strings.TrimPrefix(name, root+"/")
		to, isTemplate := strings.CutSuffix(relative, ".tmpl")
		if isTemplate {
			if content, err = l.fill(relative, content, p); err != nil {
				return err
			}
		}
		files[filepath.FromSlash(to)] = file{content: content, executable: path.Base(to) == "run"}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("templates of %s: %w", l.Name, err)
	}
	return files, nil
}

func (l *Language) fill(name string, source []byte, p *Plugin) ([]byte, error) {
	t, err := template.New(name).Funcs(template.FuncMap{"quote": quote}).Funcs(l.Funcs).Option("missingkey=error").Parse(string(source))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, p); err != nil {
		return nil, err
	}
	if l.Format == nil {
		return out.Bytes(), nil
	}
	return l.Format(strings.TrimSuffix(name, ".tmpl"), out.Bytes())
}

// quote writes a text as JSON does, which most languages read.
func quote(s string) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always has an encoding
	return strings.TrimSpace(out.String())
}
