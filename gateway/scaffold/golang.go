package scaffold

import (
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"unicode"

	"golang.org/x/mod/modfile"

	bellcrank "bellcrank.example"
	"bellcrank.example/sdk"
)

// golang is the language in which most adapters are written. A new plugin is a
// module of its own that finds the SDK in a folder of its own.
func golang() *Language {
	return &Language{
		Name:   "go",
		Funcs:  template.FuncMap{"quote": strconv.Quote, "struct": structOf, "value": valueOf, "field": fieldOf},
		Format: formatGo,
		More:   goModule,
		Next: func(p *Plugin) []Step {
			return []Step{
				{"cd " + p.Dir, ""},
				{"go build -o " + p.Name + " .", "makes the executable"},
				{"go test .", "holds it to its cases and to the contract"},
				{"bellcrank plugin test ./" + p.Name, "does the same with the executable"},
				{"bellcrank plugin run ./" + p.Name + " -case testdata/problem_firing", "shows the events of a case"},
			}
		},
	}
}

// formatGo lays out Go files as gofmt does.
func formatGo(name string, content []byte) ([]byte, error) {
	if !strings.HasSuffix(name, ".go") {
		return content, nil
	}
	return format.Source(content)
}

// goModulePath never is that of a package of the standard library.
func goModulePath(p *Plugin) string { return "bellcrank-" + p.Name }

// sdkFolder is where the SDK is unpacked in a new plugin.
const sdkFolder = "bellcrank"

// sdkModules are what the SDK's packages for processes and tests are built
// with. A test holds the list to what they import.
var sdkModules = []string{
	"github.com/fatih/color",
	"github.com/golang/protobuf",
	"github.com/hashicorp/go-hclog",
	"github.com/hashicorp/go-plugin",
	"github.com/hashicorp/yamux",
	"github.com/mattn/go-colorable",
	"github.com/mattn/go-isatty",
	"github.com/oklog/run",
	"golang.org/x/net",
	"golang.org/x/sync",
	"golang.org/x/sys",
	"golang.org/x/text",
	"google.golang.org/genproto/googleapis/rpc",
	"google.golang.org/grpc",
	"google.golang.org/protobuf",
}

// exprModules are what package expr needs in addition.
var exprModules = []string{"github.com/hashicorp/hcl/v2", "github.com/zclconf/go-cty"}

// goModule is go.mod, go.sum, and the SDK.
func goModule(p *Plugin) (map[string]file, error) {
	root, err := modfile.Parse("go.mod", bellcrank.GoMod, nil)
	if err != nil {
		return nil, fmt.Errorf("our own go.mod: %w", err)
	}
	versions := map[string]string{}
	for _, r := range root.Require {
		versions[r.Mod.Path] = r.Mod.Version
	}
	sdkAt := "./" + sdkFolder
	if p.SDK != "" {
		if sdkAt, err = filepath.Abs(p.SDK); err != nil {
			return nil, fmt.Errorf("-sdk: %w", err)
		}
		if err := checkSDK(sdkAt); err != nil {
			return nil, err
		}
	}
	own := fmt.Sprintf("module %s\n\ngo %s\n\nrequire bellcrank.example v0.0.0\n\n%s\nreplace bellcrank.example => %s\n",
		goModulePath(p), root.Go.Version, requires(sdkModules, versions, " // indirect"), modfile.AutoQuote(sdkAt))
	files := map[string]file{
		"go.mod": {content: []byte(own)},
		"go.sum": {content: sums(bellcrank.GoSum, sdkModules, versions)},
	}
	if p.SDK != "" {
		return files, nil
	}
	theirs := fmt.Sprintf("module bellcrank.example\n\ngo %s\n\n%s", root.Go.Version,
		requires(slices.Concat(sdkModules, exprModules), versions, ""))
	files[filepath.Join(sdkFolder, "go.mod")] = file{content: []byte(theirs)}
	return files, unpackSDK(files)
}

func checkSDK(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "sdk", "serve", "*.go"))
	if err == nil && len(paths) == 0 {
		err = errors.New("want a checkout of bellcrank")
	}
	if err != nil {
		return fmt.Errorf("-sdk %s: %w", dir, err)
	}
	return nil
}

func requires(modules []string, versions map[string]string, comment string) string {
	var out strings.Builder
	out.WriteString("require (\n")
	for _, path := range slices.Sorted(slices.Values(modules)) {
		fmt.Fprintf(&out, "\t%s %s%s\n", path, versions[path], comment)
	}
	out.WriteString(")\n")
	return out.String()
}

// sums are the lines of go.sum about some modules at the versions that are
// required. Those about others are for who resolves anew.
func sums(all []byte, modules []string, versions map[string]string) []byte {
	var out []byte
	for line := range strings.Lines(string(all)) {
		path, rest, _ := strings.Cut(line, " ")
		version, _, _ := strings.Cut(strings.Replace(rest, "/go.mod", "", 1), " ")
		if slices.Contains(modules, path) && version == versions[path] {
			out = append(out, line...)
		}
	}
	return out
}

// unpackSDK adds the SDK's source without its tests, which need more modules.
func unpackSDK(files map[string]file) error {
	return fs.WalkDir(sdk.Source, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := fs.ReadFile(sdk.Source, path)
		if err != nil {
			return err
		}
		files[filepath.Join(sdkFolder, "sdk", filepath.FromSlash(path))] = file{content: content}
		return nil
	})
}

// structOf declares a struct of members, of the elements or of the body.
func structOf(name string, d *Draft, element bool) (string, error) {
	var fields goFields
	for _, m := range d.Members() {
		if m.Element == element && !m.Label {
			fields.add(m.Path, kindOf(d, m))
		}
	}
	if !element && d.List != "" {
		fields.add([]string{d.List}, "[]json.RawMessage")
	}
	source, err := format.Source([]byte("type " + name + " " + fields.source() + "\n"))
	if err != nil {
		return "", fmt.Errorf("format %s: %w", name, err)
	}
	return strings.TrimSpace(string(source)), nil
}

func kindOf(d *Draft, m *Member) string {
	if m == d.Labels {
		return "sdk.Labels"
	}
	return "sdk.Text"
}

// goFields are the fields of a struct, in the order in which they were added.
type goFields []*goField

type goField struct {
	json  string
	kind  string   // empty: a struct of
	inner goFields // these
}

func (f *goFields) add(path []string, kind string) {
	i := slices.IndexFunc(*f, func(field *goField) bool { return field.json == path[0] })
	if i < 0 {
		*f = append(*f, &goField{json: path[0]})
		i = len(*f) - 1
	}
	if len(path) == 1 {
		(*f)[i].kind = kind
		return
	}
	(*f)[i].inner.add(path[1:], kind)
}

func (f *goFields) source() string {
	var out strings.Builder
	out.WriteString("struct {\n")
	for _, field := range *f {
		kind := field.kind
		if kind == "" {
			kind = field.inner.source()
		}
		fmt.Fprintf(&out, "%s %s `json:%q`\n", fieldOf(field.json), kind, field.json)
	}
	out.WriteString("}")
	return out.String()
}

// initialisms are written in capitals, as Go does.
var initialisms = map[string]string{
	"id": "ID", "url": "URL", "uid": "UID", "uuid": "UUID", "html": "HTML", "ip": "IP", "cpu": "CPU", "api": "API", "http": "HTTP", "dns": "DNS",
}

// fieldOf is the Go name of a member: "alert_id" and "alertId" are AlertID.
func fieldOf(name string) string {
	var out strings.Builder
	for _, word := range camels(name) {
		if capital, ok := initialisms[strings.ToLower(word)]; ok {
			word = capital
		}
		runes := []rune(word)
		runes[0] = unicode.ToUpper(runes[0])
		out.WriteString(string(runes))
	}
	if field := out.String(); field != "" && unicode.IsLetter([]rune(field)[0]) {
		return field
	}
	return "Member" + out.String()
}

// valueOf is the expression for a member.
func valueOf(m *Member) string {
	from := "p"
	if m.Element {
		from = "a"
	}
	path := m.Path
	if m.Label {
		path = path[:len(path)-1]
	}
	for _, name := range path {
		from += "." + fieldOf(name)
	}
	if m.Label {
		from += fmt.Sprintf("[%q]", m.Path[len(path)])
	}
	return from
}
