package app

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bellcrank.example/core"
)

// The files of a data directory.
const (
	databaseFile = "bellcrank.db"
	tokenFile    = "admin.token"
	pepperFile   = "pepper"
	runFolder    = "run"
)

// prepareDataDir makes the data directory if it isn't there, for us alone.
func prepareDataDir(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, runFolder), 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at data directory: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("data directory %s can be read by others (mode %v): chmod 700 it", dir, info.Mode().Perm())
	}
	return nil
}

// secretFile returns the content of a file, which is made with 32 random bytes
// in hex if it isn't there.
func secretFile(path string) (core.Secret, error) {
	content, err := os.ReadFile(path)
	if err == nil {
		if secret := strings.TrimSpace(string(content)); len(secret) >= 32 {
			return core.NewSecret(secret), nil
		}
		return core.Secret{}, fmt.Errorf("%s holds no secret of 32 characters or more", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return core.Secret{}, fmt.Errorf("read secret: %w", err)
	}
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return core.Secret{}, fmt.Errorf("draw a secret: %w", err)
	}
	secret := hex.EncodeToString(random[:])
	if err := writeNew(path, secret+"\n"); err != nil {
		return core.Secret{}, err
	}
	return core.NewSecret(secret), nil
}

// writeNew writes a file that nobody else may read, whole or not at all.
func writeNew(path, content string) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(content), 0o600); err != nil {
		return fmt.Errorf("write secret: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write secret: %w", err)
	}
	return nil
}
