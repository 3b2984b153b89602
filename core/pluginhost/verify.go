package pluginhost

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// verified is a plugin that is what was pinned.
type verified struct {
	program Program
	// file is the executable or the interpreter, and on Linux what runs,
	// whatever the path leads to by then.
	file   *os.File
	sha256 string
	before os.FileInfo // of the file, as it was before it was hashed
	// remark is something that the operator should mend; empty if there is none.
	remark string
	// known are the hashes of files that needn't be read again; nil if all must.
	known *hashes
	now   time.Time
}

// verify opens what a plugin runs, and refuses it unless it is of regular files
// that only root or we can write, with the pinned SHA-256. known may be nil.
func verify(s Spec, known *hashes, now time.Time) (*verified, error) {
	program, err := ProgramOf(s.Path)
	if err != nil {
		return nil, fmt.Errorf("verify %w", err)
	}
	f, err := openExecutable(program.Path)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	v := &verified{program: program, file: f, known: known, now: now}
	if err := v.check(s); err != nil {
		f.Close()
		return nil, fmt.Errorf("verify %s: %w", cmp.Or(program.Folder, program.Path), err)
	}
	return v, nil
}

func (v *verified) check(s Spec) error {
	info, err := v.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("it is no regular file, but %s", info.Mode().Type())
	}
	if info.Mode()&0o111 == 0 {
		return errors.New("it is not executable")
	}
	if v.remark, err = checkOwners(v.program.Path, info); err != nil {
		return err
	}
	if err := v.keep(info); err != nil {
		return err
	}
	if err := v.digest(); err != nil {
		return err
	}
	switch {
	case s.SHA256 == "" && !s.Unpinned:
		return errors.New("it is not pinned: run bellcrank plugin lock")
	case s.SHA256 != "" && !strings.EqualFold(s.SHA256, v.sha256):
		return fmt.Errorf("its SHA-256 is %s, pinned is %s: it was changed or rebuilt; "+
			"if that was you, run bellcrank plugin lock", v.sha256, strings.ToLower(s.SHA256))
	}
	return nil
}

// digest hashes what was opened or, for an interpreter, the plugin's folder.
// What an interpreter loads is read by its path a moment later, so unchanged
// looks at the folder again.
func (v *verified) digest() error {
	folder := v.program.Folder
	if folder == "" {
		return v.digestFile()
	}
	file := filepath.Join(folder, ProgramName)
	info, err := os.Lstat(file)
	if err != nil {
		return err
	}
	remark, err := checkOwners(file, info)
	if err != nil {
		return err
	}
	v.remark = cmp.Or(v.remark, remark)
	v.sha256, err = v.program.Digest()
	return err
}

// digestFile hashes what was opened, unless it is as it was when it was hashed
// before. v.before was taken first: what is written to while it is read has
// another identity from then on.
func (v *verified) digestFile() error {
	var known bool
	if v.sha256, known = v.known.of(v.before); known {
		return nil
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, v.file); err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	v.sha256 = hex.EncodeToString(hash.Sum(nil))
	v.known.remember(v.before, v.sha256, v.now)
	return nil
}

// keep makes sure that what is hashed is what runs. A file that others than its
// owner may write is copied to where nobody can.
func (v *verified) keep(info os.FileInfo) error {
	if runsByDescriptor && info.Mode()&0o022 != 0 {
		sealed, err := seal(v.file)
		if err != nil {
			return fmt.Errorf("copy what others may write: %w", err)
		}
		_ = v.file.Close()
		v.file = sealed
	}
	var err error
	v.before, err = v.file.Stat()
	return err
}

// unchanged refuses what its owner, which is root or we, has written to since
// it was hashed.
func (v *verified) unchanged() error {
	now, err := v.file.Stat()
	if err != nil {
		return err
	}
	if now.Size() != v.before.Size() || !now.ModTime().Equal(v.before.ModTime()) {
		return errors.New("it was written to while it was being started")
	}
	if v.program.Folder == "" {
		return nil
	}
	digest, err := v.program.Digest()
	if err == nil && digest != v.sha256 {
		err = errors.New("its folder was written to while it was being started")
	}
	return err
}
