package pluginhost

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"

	"bellcrank.example/sdk"
)

// ManifestName is the file beside the built-in plugins that pins them.
const ManifestName = "manifest.json"

// ContractVersion is the version of the adapter contract that this host
// speaks.
const ContractVersion = 1

// Lock pins executables: what they are, what they declare, and what they must
// hash to. The manifest of the built-in plugins is its JSON form.
type Lock struct {
	Plugins []LockEntry `json:"plugins"`
}

// LockEntry pins one executable.
type LockEntry struct {
	Name     string            `json:"name"` // of the file
	Type     string            `json:"type"`
	Version  string            `json:"version"`
	Contract int               `json:"contract"`
	SHA256   map[string]string `json:"sha256"` // "linux/amd64" -> hex
	Info     sdk.Info          `json:"info"`   // what Describe answered when it was pinned
}

// Platform is the key of LockEntry.SHA256 for this machine.
func Platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// Find returns the entry of a type. An empty version means any; of several
// the last counts.
func (l *Lock) Find(kind, version string) (LockEntry, bool) {
	for i := len(l.Plugins) - 1; i >= 0; i-- {
		if e := l.Plugins[i]; e.Type == kind && (version == "" || e.Version == version) {
			return e, true
		}
	}
	return LockEntry{}, false
}

// ReadManifest reads a manifest. A digest that isn't empty must be the file's
// SHA-256 in hex: the gateway is linked with that of the manifest that was
// built along.
func ReadManifest(path, digest string) (*Lock, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read plugin manifest: %w", err)
	}
	if sum := sha256.Sum256(content); digest != "" && hex.EncodeToString(sum[:]) != digest {
		return nil, errors.New("the plugin manifest " + path + " is not the one that this gateway was built with: build both again, or pin the plugins in a lock file")
	}
	var l Lock
	if err := json.Unmarshal(content, &l); err != nil {
		return nil, fmt.Errorf("read plugin manifest %s: %w", path, err)
	}
	return &l, nil
}

// WriteManifest writes a manifest.
func WriteManifest(path string, l *Lock) error {
	content, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("encode plugin manifest: %w", err)
	}
	if err := os.WriteFile(path, append(content, '\n'), 0o644); err != nil {
		return fmt.Errorf("write plugin manifest: %w", err)
	}
	return nil
}
