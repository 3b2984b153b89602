// Package sqlite is the store of one gateway in one file. It knows statements
// and nothing of what they are for: the engine calls them in its order.
package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"bellcrank.example/core/store/engine"
)

// Config says where the database is. Dir is required.
type Config struct {
	// Dir holds the database, bellcrank.db, and is made if need be, for its
	// owner only.
	Dir string
	// LockWait is how long Open waits for another process that holds the
	// directory, which is what a successor does; not at all if zero.
	LockWait time.Duration
	Readers  int          // connections that read; 4 if zero
	Logger   *slog.Logger // slog.Default if nil

	vfs         string // a file system that is registered; files if empty
	synchronous string // FULL if empty
	maxPages    int    // unlimited if zero
}

// DB is an open database. It implements engine.Driver.
type DB struct {
	lock         *os.File
	writer       *conn
	checkpointer *conn
	readers      chan *conn
	all          []*conn
}

var _ engine.Driver = (*DB)(nil)

const (
	fileName = "bellcrank.db"
	// oldest is the first SQLite without the race in which two connections
	// that reset the log could corrupt it.
	oldestMajor, oldestMinor, oldestPatch = 3, 51, 3
	// backstop is how many pages the log may have before a commit itself
	// moves them, should the checkpointer not get to it.
	backstop = 16384
	full     = "FULL"
	// cache is a connection's page cache, in KiB if negative.
	cache = "-8192"
	// checkBelow is up to which size a database is checked as a whole after a
	// crash: that takes about two seconds.
	checkBelow = 1 << 30
)

// Open locks the directory, makes or migrates the database and opens its
// connections. It refuses a newer schema, and settings that aren't in force.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	lock, err := lockDir(ctx, cfg.Dir, cfg.LockWait)
	if err != nil {
		return nil, err
	}
	registerFiles(vfsName, vfs.Find("").(vfs.VFSFilename))
	db := &DB{lock: lock}
	if err := db.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, cfg Config) error {
	path := filepath.Join(cfg.Dir, fileName)
	crashed, err := prepareFile(path)
	if err != nil {
		return err
	}
	if db.writer, err = db.connect(ctx, cfg, dsn(cfg, path, cfg.writerFiles())); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	if crashed {
		if err := check(db.writer, path, cfg.Logger); err != nil {
			return err
		}
	}
	if err := migrate(ctx, dsn(cfg, path, ""), cfg.Logger); err != nil {
		return fmt.Errorf("migrate %s: %w", path, err)
	}
	if db.checkpointer, err = db.connect(ctx, cfg, dsn(cfg, path, "")); err != nil {
		return fmt.Errorf("open %s for checkpoints: %w", path, err)
	}
	readers := cmp.Or(cfg.Readers, 4)
	db.readers = make(chan *conn, readers)
	for range readers {
		c, err := db.connect(ctx, cfg, dsn(cfg, path, ""))
		if err == nil {
			err = c.query(`PRAGMA query_only = ON`).exec()
		}
		if err != nil {
			return fmt.Errorf("open %s for reading: %w", path, err)
		}
		db.readers <- c
	}
	// The driver makes this one for everybody.
	if err := os.Chmod(path+"-shm", 0o600); err != nil {
		return fmt.Errorf("close the log's index to others: %w", err)
	}
	return nil
}

// prepareFile makes the file for its owner only, and reports whether the last
// process that had it open ended without closing it.
func prepareFile(path string) (crashed bool, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, fmt.Errorf("make the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return false, fmt.Errorf("make the database: %w", err)
	}
	log, err := os.Stat(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the database's log: %w", err)
	}
	return log.Size() > 0, nil
}

// writerFiles returns which files the writer uses: it may gather what it
// writes to the log because it syncs each commit.
func (c *Config) writerFiles() string {
	if cmp.Or(c.synchronous, full) == full {
		return gathering
	}
	return ""
}

// dsn names the database for SQLite. Its log gets the database's own mode.
func dsn(cfg Config, path, kind string) string {
	q := url.Values{"modeof": {path}, "vfs": {cmp.Or(cfg.vfs, vfsName) + kind}}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func (db *DB) connect(ctx context.Context, cfg Config, dsn string) (*conn, error) {
	raw, err := sqlite3.OpenContext(ctx, dsn)
	if err != nil {
		return nil, wrap(err)
	}
	raw.SetInterrupt(context.Background())
	c := &conn{Conn: raw, statements: map[string]*statement{}}
	db.all = append(db.all, c)
	return c, c.set(cfg)
}

// set applies the settings and reads them back: a file system or a wrong build
// can refuse them silently.
func (c *conn) set(cfg Config) error {
	if err := c.checkVersion(); err != nil {
		return err
	}
	if err := c.BusyTimeout(readTimeout); err != nil {
		return fmt.Errorf("set the busy timeout: %w", err)
	}
	sync := cmp.Or(cfg.synchronous, full)
	levels := map[string]string{full: "2", "NORMAL": "1"}
	for _, p := range []struct{ name, value, want string }{
		{"synchronous", sync, levels[sync]}, // before anything is written
		{"auto_vacuum", "INCREMENTAL", "2"}, // takes effect in a new file only
		{"page_size", "4096", "4096"},
		{"journal_mode", "WAL", "wal"},
		{"wal_autocheckpoint", strconv.Itoa(backstop), strconv.Itoa(backstop)},
		{"cache_size", cache, cache},
		{"max_page_count", strconv.Itoa(cmp.Or(cfg.maxPages, 4294967294)), ""},
	} {
		if err := c.query(`PRAGMA ` + p.name + ` = ` + p.value).exec(); err != nil {
			return fmt.Errorf("set %s: %w", p.name, err)
		}
		got, err := c.value(`PRAGMA ` + p.name)
		if err != nil {
			return fmt.Errorf("read %s back: %w", p.name, err)
		}
		if p.want != "" && got != p.want {
			return fmt.Errorf("%s is %q, want %q: is the data directory on a local file system?", p.name, got, p.want)
		}
	}
	return nil
}

func (c *conn) value(sql string) (v string, err error) {
	_, err = c.query(sql).one(func(r *row) error {
		v = r.text()
		return nil
	})
	return v, err
}

func (c *conn) checkVersion() error {
	v, err := c.value(`SELECT sqlite_version()`)
	if err != nil {
		return err
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(v, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return fmt.Errorf("read SQLite's version %q: %w", v, err)
	}
	if cmp.Or(cmp.Compare(major, oldestMajor), cmp.Compare(minor, oldestMinor), cmp.Compare(patch, oldestPatch)) < 0 {
		return fmt.Errorf("SQLite %s can lose commits, want %d.%d.%d or newer", v, oldestMajor, oldestMinor, oldestPatch)
	}
	return nil
}

// check looks for damage after a crash, where that doesn't take long.
func check(c *conn, path string, log *slog.Logger) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	if info.Size() > checkBelow {
		log.Info("the last process did not close the database; it is too large to be checked at once", "size", info.Size())
		return nil
	}
	found, err := c.value(`PRAGMA quick_check(1)`)
	if err != nil {
		return fmt.Errorf("check %s: %w", path, err)
	}
	if found != "ok" {
		return fmt.Errorf("check %s: %w: %s; restore it from a backup, or move it away to start empty",
			path, engine.ErrBroken, found)
	}
	return nil
}

// Checkpoint moves commits from the log into the database, as far as no reader
// needs them where they are. That the writer is just doing so itself is fine.
func (db *DB) Checkpoint(context.Context) error {
	_, _, err := db.checkpointer.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
	if errors.Is(err, sqlite3.BUSY) {
		return nil
	}
	return wrap(err)
}

// Close closes all connections and unlocks the directory.
func (db *DB) Close() error {
	var errs []error
	for _, c := range db.all {
		for _, s := range c.statements {
			errs = append(errs, s.Close())
		}
		errs = append(errs, c.Close())
	}
	return errors.Join(append(errs, db.lock.Close())...)
}
