//go:build unix

package pluginhost

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// interpreted puts a plugin into a folder whose interpreter is the tests' own
// executable, which minds no script.
func interpreted(t testing.TB) (folder string) {
	t.Helper()
	folder = t.TempDir()
	write(t, folder, "adapter.x", "the script")
	write(t, folder, "library/part.x", "a part")
	write(t, folder, ProgramName, fmt.Sprintf(`{"interpreter": %q, "arguments": ["-quiet"], "script": "adapter.x"}`, privateCopy(t)))
	return folder
}

func write(t testing.TB, folder, name, content string) {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func digestOf(t testing.TB, path string) string {
	t.Helper()
	program, err := ProgramOf(path)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := program.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestAnInterpretedPluginRuns(t *testing.T) {
	folder := interpreted(t)
	s := spec(t)
	s.Path, s.SHA256 = filepath.Join(folder, ProgramName), digestOf(t, folder)
	h := run(t, s, nil)
	if !h.Ready("chaos") {
		t.Fatalf("it isn't ready: %+v", h.Plugins())
	}
	result, err := call(t, h, "", `{"title":"x","key":"k"}`)
	if err != nil || len(result.Events) != 1 {
		t.Errorf("got %+v, %v; want an event", result, err)
	}
}

// The digest is what the documentation says, so that others can compute it.
func TestTheDigestOfAFolder(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "b", "two")
	write(t, folder, "a/b", "one")
	write(t, folder, "a.b", "three")
	if err := os.Symlink("../b", filepath.Join(folder, "a", "link")); err != nil {
		t.Fatal(err)
	}
	sum := func(s string) string {
		h := sha256.Sum256([]byte(s))
		return hex.EncodeToString(h[:])
	}
	want := sum(sum("three") + "  a.b\n" + sum("one") + "  a/b\n" + "link ../b  a/link\n" + sum("two") + "  b\n")
	got, err := Program{Folder: folder}.Digest()
	if err != nil || got != want {
		t.Errorf("Digest = %s, %v; want %s", got, err, want)
	}
}

func TestEveryChangeOfAFolderIsRefused(t *testing.T) {
	tests := map[string]struct {
		change func(t *testing.T, folder string)
		want   string
	}{
		"another script":  {func(t *testing.T, f string) { write(t, f, "adapter.x", "other") }, "pinned is"},
		"another library": {func(t *testing.T, f string) { write(t, f, "library/part.x", "other") }, "pinned is"},
		"one file more":   {func(t *testing.T, f string) { write(t, f, "library/more.x", "") }, "pinned is"},
		"one file less":   {func(t *testing.T, f string) { remove(t, f, "library/part.x") }, "pinned is"},
		"another interpreter": {func(t *testing.T, f string) {
			write(t, f, ProgramName, `{"interpreter":"/bin/sh","script":"adapter.x"}`)
		}, "pinned is"},
		"no script":            {func(t *testing.T, f string) { remove(t, f, "adapter.x") }, "script: "},
		"no description":       {func(t *testing.T, f string) { remove(t, f, ProgramName) }, "no regular file is there"},
		"a link out of it":     {func(t *testing.T, f string) { link(t, f, "/etc/passwd", "library/out") }, "outside the plugin's folder"},
		"a link further up":    {func(t *testing.T, f string) { link(t, f, "../../x", "library/out") }, "outside the plugin's folder"},
		"a script by a link":   {func(t *testing.T, f string) { remove(t, f, "adapter.x"); link(t, f, "library/part.x", "adapter.x") }, "no regular file"},
		"a file for everybody": {func(t *testing.T, f string) { mode(t, f, "library/part.x", 0o666) }, "everybody may write"},
		"a folder likewise":    {func(t *testing.T, f string) { mode(t, f, "library", 0o777) }, "everybody may write"},
		"an unknown member":    {func(t *testing.T, f string) { write(t, f, ProgramName, `{"command":"x"}`) }, "unknown field"},
		"no interpreter":       {func(t *testing.T, f string) { write(t, f, ProgramName, `{"script":"adapter.x"}`) }, "interpreter and script are required"},
		"an unknown one": {func(t *testing.T, f string) {
			write(t, f, ProgramName, `{"interpreter":"no-such","script":"adapter.x"}`)
		}, "there is no interpreter no-such (looked for /usr/local/bin/no-such"},
		"one by a way":     {func(t *testing.T, f string) { write(t, f, ProgramName, `{"interpreter":"../sh","script":"adapter.x"}`) }, "neither a name nor an absolute path"},
		"a script outside": {func(t *testing.T, f string) { write(t, f, ProgramName, `{"interpreter":"sh","script":"../x"}`) }, "outside the plugin's folder"},
		"reading somewhere": {func(t *testing.T, f string) {
			write(t, f, ProgramName, `{"interpreter":"sh","script":"adapter.x","read":["etc"]}`)
		}, "no absolute path"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			folder := interpreted(t)
			s := Spec{Path: filepath.Join(folder, ProgramName), SHA256: digestOf(t, folder)}
			if remark, err := Verify(s); err != nil {
				t.Fatalf("before: %q, %v", remark, err)
			}
			tt.change(t, folder)
			if _, err := Verify(s); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Verify = %v, want %q", err, tt.want)
			}
		})
	}
}

func remove(t *testing.T, folder, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(folder, name)); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, folder, target, name string) {
	t.Helper()
	if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
		t.Fatal(err)
	}
}

func mode(t *testing.T, folder, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(filepath.Join(folder, name), mode); err != nil {
		t.Fatal(err)
	}
}

func TestWhatStandsForAPlugin(t *testing.T) {
	folder := interpreted(t)
	if got, want := Installed(folder, "acme"), filepath.Join(folder, ProgramName); got != want {
		t.Errorf("with a description: %s, want %s", got, want)
	}
	remove(t, folder, ProgramName)
	if got, want := Installed(folder, "acme"), filepath.Join(folder, "acme"); got != want {
		t.Errorf("without one: %s, want %s", got, want)
	}
}

func TestAnInterpreterThatFailsSaysWhy(t *testing.T) {
	folder := interpreted(t)
	s := spec(t)
	s.Path, s.SHA256 = filepath.Join(folder, ProgramName), digestOf(t, folder)
	s.Env["START"] = "fail"
	h := run(t, s, nil)
	if got := h.Plugins()[0].LastError; !strings.Contains(got, "it says: no database here") {
		t.Errorf("last error %q, want what the process said", got)
	}
}
