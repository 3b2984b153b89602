package sdk

import (
	"io/fs"
	"os"
	"strings"
	"testing"
)

func TestTheEmbeddedSourceIsWhole(t *testing.T) {
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "testdata":
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".proto"):
			return nil
		}
		if _, err := fs.Stat(Source, path); err != nil {
			t.Errorf("%s is not embedded: add it to source.go", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
