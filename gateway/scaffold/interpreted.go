package scaffold

import (
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"text/template"

	bellcrank "bellcrank.example"
	"bellcrank.example/sdk"
)

// node is JavaScript. What isn't the author's is that of our own example.
func node() *Language {
	return &Language{
		Name: "node", Funcs: funcsOf("text(%s)", "at(%s%s)"),
		More: func(p *Plugin) (map[string]file, error) {
			files, err := ofExample("adapter-node", "bellcrank.js", "package.json", "package-lock.json")
			for _, name := range []string{"package.json", "package-lock.json"} {
				f := files[name]
				f.content = bytes.ReplaceAll(f.content, []byte("bellcrank-adapter-duplicati"), []byte("bellcrank-adapter-"+p.Name))
				f.content = bytes.ReplaceAll(f.content, []byte("Adapts the reports of Duplicati"), []byte("Adapts the webhooks of "+p.Title))
				files[name] = f
			}
			return files, err
		},
		Next: func(p *Plugin) []Step {
			return append([]Step{{"cd " + p.Dir, ""}, {"npm ci --ignore-scripts", "gets gRPC"}}, tryIt()...)
		},
	}
}

// python is Python, with the gRPC of the system.
func python() *Language {
	return &Language{
		Name: "python", Funcs: funcsOf("text(%s)", "at(%s%s)"),
		More: func(*Plugin) (map[string]file, error) {
			return ofExample("adapter-python", "bellcrank.py", "adapter.desc")
		},
		Next: func(p *Plugin) []Step {
			return append([]Step{{"cd " + p.Dir, ""}, {"apt install python3-grpcio", "or your system's package of gRPC for Python"}}, tryIt()...)
		},
	}
}

func tryIt() []Step {
	return []Step{
		{"bellcrank plugin test .", "holds it to its cases and to the contract"},
		{"bellcrank plugin run . -case testdata/problem_firing", "shows the events of a case"},
	}
}

// funcsOf writes down members: as a text, and as what is there.
func funcsOf(text, raw string) template.FuncMap {
	rawOf := func(m *Member) string {
		var path strings.Builder
		for _, name := range m.Path {
			path.WriteString(", " + quote(name))
		}
		from := "p"
		if m.Element {
			from = "a"
		}
		return fmt.Sprintf(raw, from, path.String())
	}
	return template.FuncMap{"raw": rawOf, "value": func(m *Member) string { return fmt.Sprintf(text, rawOf(m)) }}
}

// ofExample returns files of an example, and the contract's messages.
func ofExample(example string, names ...string) (map[string]file, error) {
	files := map[string]file{}
	for _, name := range names {
		content, err := fs.ReadFile(bellcrank.Examples, "examples/"+example+"/"+name)
		if err != nil {
			return nil, err
		}
		files[filepath.FromSlash(name)] = file{content: content}
	}
	contract, err := fs.ReadFile(sdk.Source, "proto/adapter/v1/adapter.proto")
	if err != nil {
		return nil, err
	}
	files["adapter.proto"] = file{content: contract}
	return files, nil
}
