package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"bellcrank.example/core/store/engine"
	"bellcrank.example/core/store/storetest"
)

func TestDriver(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) engine.Driver {
		return open(t, dir)
	})
}

func open(t *testing.T, dir string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return db
}

func TestDirectoryHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	began := time.Now()
	_, err := Open(t.Context(), Config{Dir: dir, LockWait: 50 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())+" ") {
		t.Errorf("a second owner: %v, want an error that names process %d", err, os.Getpid())
	}
	if waited := time.Since(began); waited < 50*time.Millisecond {
		t.Errorf("gave up after %v", waited)
	}
	released := make(chan error, 1)
	time.AfterFunc(50*time.Millisecond, func() { released <- first.Close() })
	second, err := Open(t.Context(), Config{Dir: dir, LockWait: 20 * time.Second})
	if err != nil {
		t.Fatalf("the successor: %v", err)
	}
	if err := errors.Join(<-released, second.Close()); err != nil {
		t.Error(err)
	}
}

func TestAnotherProcessIsKeptOut(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "two gateways can't share a data directory") {
		t.Errorf("another process: %v, %s", err, out)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	if err := db.writer.query(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`).exec(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("got %v, want it to be refused", err)
	}
}

func TestDamageIsFoundAfterACrash(t *testing.T) {
	dir := t.TempDir()
	d, name := newDisk(t)
	l := newLoad(t, Config{vfs: name})
	for range 200 {
		if _, err := l.open(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	checkpointed(t, Config{Dir: l.dir, vfs: name})
	if _, err := l.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.cut(t, dir, rand.New(rand.NewPCG(1, 1)), 0)
	path := filepath.Join(dir, fileName)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 10 * 4096; i < 40*4096; i++ {
		raw[i] ^= 0x5a
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); !errors.Is(err, engine.ErrBroken) {
		t.Errorf("got %v, want %v", err, engine.ErrBroken)
	}
}

// checkpointed waits until all of the WAL is in the database. It has a
// connection of its own: the store's are each one goroutine's.
func checkpointed(t *testing.T, cfg Config) {
	t.Helper()
	c, err := sqlite3.OpenContext(t.Context(), dsn(cfg, filepath.Join(cfg.Dir, fileName), ""))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(`SELECT count(*) FROM sqlite_schema`); err != nil { // opens the WAL
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		frames, done, err := c.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
		if err == nil && frames > 0 && done == frames { // none of it is another's to do, or a reader's
			return
		}
	}
	t.Fatal("the WAL is never checkpointed")
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	db := open(t, dir)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Error(err)
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	db := open(t, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := db.read(ctx, func(c *conn) error {
		_, err := c.value(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n`)
		return err
	})
	if err == nil {
		t.Error("an endless query ended by itself")
	}
	if err := db.read(t.Context(), func(c *conn) error { return second(c.value(`SELECT 1`)) }); err != nil {
		t.Errorf("the connection is of no use any more: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }
