package sdk

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// promised are the packages whose exported names plugins are built with.
var promised = []string{".", "serve", "sdktest"}

const promises = "testdata/api.txt"

// TestTheAPIOnlyGrows holds what is exported to what has been promised: adapters
// outside of this repository are built with it. UPDATE=1 writes down what is
// new, and never takes anything back.
func TestTheAPIOnlyGrows(t *testing.T) {
	var now []string
	for _, dir := range promised {
		now = append(now, exported(t, dir)...)
	}
	content, err := os.ReadFile(promises)
	if err != nil && os.Getenv("UPDATE") == "" {
		t.Fatal(err)
	}
	before := slices.DeleteFunc(strings.Split(string(content), "\n"), func(line string) bool { return line == "" })
	for _, line := range without(before, now) {
		t.Errorf("gone or changed: %s\nAdapters that are built with it would break. Keep it and add what is new beside it.", line)
	}
	added := without(now, before)
	if os.Getenv("UPDATE") == "" {
		for _, line := range added {
			t.Errorf("new: %s\nIs it meant to be kept for ever? Then UPDATE=1 promises it.", line)
		}
		return
	}
	all := slices.Sorted(slices.Values(slices.Concat(before, added)))
	if err := os.WriteFile(promises, []byte(strings.Join(all, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsGoneOrNewIsTold(t *testing.T) {
	before, now := []string{"func A()", "func B(int)"}, []string{"func A()", "func B(string)", "func C()"}
	if got := without(before, now); !slices.Equal(got, []string{"func B(int)"}) {
		t.Errorf("gone: %q", got)
	}
	if got := without(now, before); !slices.Equal(got, []string{"func B(string)", "func C()"}) {
		t.Errorf("new: %q", got)
	}
}

func without(lines, others []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(others, line) })
}

// exported lists what a package exports, a line each. A field of a struct has a
// line of its own, since there may be more; an interface has one for all its
// methods, since there may not.
func exported(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			for _, line := range linesOf(decl) {
				lines = append(lines, parsed.Name.Name+": "+line)
			}
		}
	}
	if len(lines) == 0 {
		t.Fatalf("nothing is exported from %s", dir)
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

func linesOf(decl ast.Decl) []string {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
			return []string{oneLine(&ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type})}
		}
	case *ast.GenDecl:
		var lines []string
		for _, spec := range d.Specs {
			lines = append(lines, specLines(d.Tok, spec)...)
		}
		return lines
	}
	return nil
}

func receiver(f *ast.FuncDecl) string {
	return strings.TrimPrefix(oneLine(f.Recv.List[0].Type), "*")
}

func specLines(tok token.Token, spec ast.Spec) []string {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		if slices.ContainsFunc(s.Names, func(n *ast.Ident) bool { return n.IsExported() }) {
			return []string{tok.String() + " " + oneLine(s)}
		}
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return nil
		}
		body, ok := s.Type.(*ast.StructType)
		if !ok {
			return []string{"type " + oneLine(s)}
		}
		lines := []string{"type " + s.Name.Name + " struct"}
		for _, field := range body.Fields.List {
			if len(field.Names) == 0 || field.Names[0].IsExported() {
				lines = append(lines, "type "+s.Name.Name+" struct: "+oneLine(field))
			}
		}
		return lines
	}
	return nil
}

// oneLine prints a piece of Go without its comments, in one line.
func oneLine(node ast.Node) string {
	if field, ok := node.(*ast.Field); ok {
		var names []string
		for _, n := range field.Names {
			names = append(names, n.Name)
		}
		line := strings.Join(names, ", ") + " " + oneLine(field.Type)
		if field.Tag != nil {
			line += " " + field.Tag.Value
		}
		return strings.TrimSpace(line)
	}
	var out bytes.Buffer
	if err := printer.Fprint(&out, token.NewFileSet(), node); err != nil {
		return fmt.Sprint(err)
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// TestTheSDKNeedsNothingButTheStandardLibrary keeps the tests of an adapter
// quick, and its author free.
func TestTheSDKNeedsNothingButTheStandardLibrary(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(out)); !slices.Equal(got, []string{"bellcrank.example/sdk"}) {
		t.Errorf("it needs %q", got)
	}
}
