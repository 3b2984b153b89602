package sqlite

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"bellcrank.example/core/store/engine"
)

// wrap says of a database error what the engine must know of it.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	if kind := kindOf(err); kind != nil {
		return fmt.Errorf("%w: %w", kind, err)
	}
	return err
}

// kindOf returns engine.ErrFull, engine.ErrBroken or nil. A sync that failed
// is never a full disk: what it has left behind nobody knows.
func kindOf(err error) error {
	switch {
	case errors.Is(err, sqlite3.IOERR_FSYNC), errors.Is(err, sqlite3.IOERR_DIR_FSYNC):
		return engine.ErrBroken
	case errors.Is(err, sqlite3.FULL), errors.Is(err, sqlite3.IOERR_SHMSIZE): // the latter enlarges a file
		return engine.ErrFull
	case errors.Is(err, sqlite3.IOERR), errors.Is(err, sqlite3.CORRUPT), errors.Is(err, sqlite3.NOTADB):
		return engine.ErrBroken
	}
	return nil
}
