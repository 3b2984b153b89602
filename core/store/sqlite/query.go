package sqlite

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
)

// conn is a connection with its prepared statements. It belongs to one
// goroutine at a time.
type conn struct {
	*sqlite3.Conn
	statements map[string]*statement
	scratch    []byte // what is encoded is bound from here
}

// maxScratch is how much of it is kept.
const maxScratch = 64 << 10

// statement is a prepared statement with the short texts that are bound to it.
type statement struct {
	*sqlite3.Stmt
	bound []bound // by parameter
}

// bound is a text that is bound to a parameter.
type bound struct {
	known bool
	text  string
}

// maxRemembered is how long a text may be that is remembered as bound.
const maxRemembered = 64

// query returns a statement, prepared once, whose parameters are bound in the
// order in which the methods of query are called.
func (c *conn) query(sql string) *query {
	s := c.statements[sql]
	if s == nil {
		stmt, _, err := c.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
		if err != nil {
			return &query{err: err}
		}
		s = &statement{stmt, make([]bound, stmt.BindCount())}
		c.statements[sql] = s
	}
	return &query{conn: c, stmt: s}
}

// query is a statement while it is bound and run. The first error sticks.
type query struct {
	conn *conn
	stmt *statement
	n    int // parameters that are bound
	err  error
}

func (q *query) int(v int64) *query {
	if q.next() {
		q.err = q.stmt.BindInt64(q.n, v)
	}
	return q
}

func (q *query) null() *query {
	if q.next() {
		q.err = q.stmt.BindNull(q.n)
	}
	return q
}

// next goes on to the next parameter, and reports whether it can be bound.
// Nothing is known of it from then on.
func (q *query) next() bool {
	q.n++
	if q.err == nil && q.n <= len(q.stmt.bound) {
		q.stmt.bound[q.n-1] = bound{}
	}
	return q.err == nil
}

func (q *query) num(v int) *query { return q.int(int64(v)) }

// id binds NULL for no id.
func (q *query) id(v core.ID) *query {
	if v == 0 {
		return q.null()
	}
	return q.int(int64(v))
}

// when binds NULL for no time.
func (q *query) when(t time.Time) *query {
	if t.IsZero() {
		return q.null()
	}
	return q.int(t.UnixMicro())
}

func (q *query) flag(v bool) *query {
	if v {
		return q.int(1)
	}
	return q.int(0)
}

// text leaves bound what is bound already: most texts of a row are those of the
// row before, and each that is bound anew is memory that SQLite allocates.
func (q *query) text(v string) *query {
	if q.err == nil && q.n < len(q.stmt.bound) && q.stmt.bound[q.n] == (bound{true, v}) {
		q.n++
		return q
	}
	if !q.next() {
		return q
	}
	if q.err = q.stmt.BindText(q.n, v); q.err == nil && len(v) <= maxRemembered {
		q.stmt.bound[q.n-1] = bound{true, strings.Clone(v)}
	}
	return q
}

// encoded binds an incident as encode appends it.
func (q *query) encoded(in *core.Incident, encode func([]byte, *core.Incident) ([]byte, error)) *query {
	if !q.next() {
		return q
	}
	raw, err := encode(q.conn.scratch[:0], in)
	if q.err = err; err != nil {
		return q
	}
	q.err = q.stmt.BindRawText(q.n, raw) // copies
	if cap(raw) <= maxScratch {
		q.conn.scratch = raw
	}
	return q
}

func (q *query) blob(v []byte) *query {
	if q.next() {
		q.err = q.stmt.BindBlob(q.n, v)
	}
	return q
}

// bytes binds NULL for none.
func (q *query) bytes(v []byte) *query {
	if len(v) == 0 {
		return q.null()
	}
	return q.blob(v)
}

// hash binds NULL for no hash.
func (q *query) hash(v [16]byte) *query {
	if v == [16]byte{} {
		return q.null()
	}
	return q.blob(v[:])
}

// exec runs a statement that returns nothing of interest.
func (q *query) exec() error {
	if q.err != nil {
		return wrap(q.err)
	}
	return wrap(q.stmt.Exec())
}

// each calls fn for each row.
func (q *query) each(fn func(r *row) error) error {
	if q.err != nil {
		return wrap(q.err)
	}
	for q.stmt.Step() {
		r := row{stmt: q.stmt.Stmt}
		err := fn(&r)
		if err == nil {
			err = r.err
		}
		if err != nil {
			_ = q.stmt.Reset() // the row's error says more
			return err
		}
	}
	err := q.stmt.Err()
	if reset := q.stmt.Reset(); err == nil {
		err = reset
	}
	return wrap(err)
}

// one calls fn for the only row and reports whether there was one.
func (q *query) one(fn func(r *row) error) (found bool, err error) {
	err = q.each(func(r *row) error {
		found = true
		return fn(r)
	})
	return found, err
}

// row reads the columns of a row in their order. The first error sticks.
type row struct {
	stmt *sqlite3.Stmt
	n    int // columns that were read
	err  error
}

func (r *row) int() int64 {
	r.n++
	return r.stmt.ColumnInt64(r.n - 1)
}

func (r *row) num() int    { return int(r.int()) }
func (r *row) id() core.ID { return core.ID(r.int()) }
func (r *row) flag() bool  { return r.int() != 0 }

func (r *row) when() time.Time { return engine.Time(r.int()) }

func (r *row) text() string {
	r.n++
	return r.stmt.ColumnText(r.n - 1)
}

// blob returns a copy.
func (r *row) blob() []byte {
	r.n++
	return r.stmt.ColumnBlob(r.n-1, nil)
}

func (r *row) hash() (h [16]byte) {
	r.n++
	copy(h[:], r.stmt.ColumnRawBlob(r.n-1))
	return h
}

// raw is valid until the next step.
func (r *row) raw() []byte {
	r.n++
	return r.stmt.ColumnRawText(r.n - 1)
}

// bytes is valid until the next step.
func (r *row) bytes() []byte {
	r.n++
	return r.stmt.ColumnRawBlob(r.n - 1)
}

func (r *row) addr() netip.Addr {
	a, _ := netip.ParseAddr(r.text()) // "" is no address
	return a
}

func (r *row) addrPort() netip.AddrPort {
	a, _ := netip.ParseAddrPort(r.text()) // "" is no address
	return a
}

func (r *row) ids() []core.ID {
	list, err := engine.DecodeList[core.ID](r.text())
	r.fail(err)
	return list
}

func (r *row) strings() []string {
	list, err := engine.DecodeList[string](r.text())
	r.fail(err)
	return list
}

func (r *row) times() []time.Time {
	list, err := engine.DecodeTimes(r.text())
	r.fail(err)
	return list
}

func (r *row) fail(err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("column %d: %w", r.n, err)
	}
}
