package pluginhost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ProgramName is the file that says how a plugin is run that an interpreter
// runs. It stands beside the script, in a folder that holds nothing but the
// plugin.
const ProgramName = "plugin.json"

// interpreterFolders is where an interpreter without a path is looked for. The
// gateway's PATH is no part of what an operator pins.
var interpreterFolders = []string{"/usr/local/bin", "/usr/bin", "/bin"}

// Program is how a plugin is run: as an executable, or as a script in an
// interpreter.
type Program struct {
	// Path is the executable, or the interpreter's.
	Path string
	// Args come ahead of the plugin's own: the interpreter's, and the script.
	Args []string
	// Folder holds everything that is the plugin's and that the interpreter
	// may load. It is empty for an executable.
	Folder string
	// Read names what the interpreter reads elsewhere than in the system's
	// folders of programs and libraries.
	Read []string
}

// programFile is the content of ProgramName.
type programFile struct {
	Interpreter string   `json:"interpreter"`
	Arguments   []string `json:"arguments"`
	Script      string   `json:"script"`
	Read        []string `json:"read"`
}

// Installed returns what stands for a plugin in its folder: the file
// ProgramName if it is there, else the executable of that name.
func Installed(folder, name string) string {
	program := filepath.Join(folder, ProgramName)
	if _, err := os.Lstat(program); err == nil {
		return program
	}
	return filepath.Join(folder, name)
}

// ProgramOf says how to run what a path leads to: an executable, a file
// ProgramName, or a folder with one.
func ProgramOf(path string) (Program, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Program{}, err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, ProgramName)
	}
	if filepath.Base(path) != ProgramName {
		return Program{Path: path}, nil
	}
	p, err := readProgram(path)
	if err != nil {
		return Program{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func readProgram(path string) (Program, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Program{}, errors.New("no regular file is there: a folder is a plugin only with this one, which names interpreter and script")
	}
	if err != nil {
		return Program{}, err
	}
	var f programFile
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Program{}, err
	}
	folder := filepath.Dir(path)
	script := filepath.Join(folder, f.Script)
	switch info, err := os.Lstat(script); {
	case f.Script == "" || f.Interpreter == "":
		return Program{}, errors.New("interpreter and script are required")
	case !filepath.IsLocal(f.Script):
		return Program{}, fmt.Errorf("the script %s is outside the plugin's folder", f.Script)
	case err != nil:
		return Program{}, fmt.Errorf("script: %w", err)
	case !info.Mode().IsRegular():
		return Program{}, fmt.Errorf("the script %s is no regular file", f.Script)
	}
	for _, path := range f.Read {
		if !filepath.IsAbs(path) {
			return Program{}, fmt.Errorf("read: %s is no absolute path", path)
		}
	}
	interpreter, err := findInterpreter(f.Interpreter)
	if err != nil {
		return Program{}, err
	}
	return Program{Path: interpreter, Args: append(f.Arguments, script), Folder: folder, Read: f.Read}, nil
}

// findInterpreter returns an interpreter's own file, behind the links by which
// systems name versions.
func findInterpreter(name string) (string, error) {
	candidates := []string{name}
	if !filepath.IsAbs(name) {
		if filepath.Base(name) != name {
			return "", fmt.Errorf("the interpreter %s is neither a name nor an absolute path", name)
		}
		candidates = candidates[:0]
		for _, folder := range interpreterFolders {
			candidates = append(candidates, filepath.Join(folder, name))
		}
	}
	for _, candidate := range candidates {
		if file, err := filepath.EvalSymlinks(candidate); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("there is no interpreter %s (looked for %s)", name, strings.Join(candidates, ", "))
}
