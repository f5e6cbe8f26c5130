package op

import (
	"errors"

	"github.com/helios-sql/helios-sql/sql/zset"
)

// A reader is a cursor that is opened when it is first used: most ticks need
// few of the cursors that an operator may need. Where what is sought are always whole
// keys, it reads points instead, which the store keeps at hand if they are hot.
type reader struct {
	rows   Arrangement
	points bool
	cur    zset.Cursor
	key    []byte // of the point read; borrowed
	value  []byte
	err    error
}

var _ zset.Cursor = (*reader)(nil)

// Seek implements zset.Cursor.
func (r *reader) Seek(prefix []byte) bool {
	if r.err != nil {
		return false
	}
	if r.points {
		value, ok, err := r.rows.Get(prefix)
		r.key, r.value, r.err = prefix, append(r.value[:0], value...), err
		return ok && err == nil
	}
	return r.open() && r.cur.Seek(prefix)
}

// Range implements zset.Cursor.
func (r *reader) Range(low, high []byte) bool {
	return r.err == nil && r.open() && r.cur.Range(low, high)
}

func (r *reader) open() bool {
	if r.cur == nil {
		r.cur, r.err = r.rows.Cursor()
	}
	return r.err == nil
}

// Next implements zset.Cursor.
func (r *reader) Next() bool { return !r.points && r.err == nil && r.cur.Next() }

// Key implements zset.Cursor.
func (r *reader) Key() []byte {
	if r.points {
		return r.key
	}
	return r.cur.Key()
}

// Value implements zset.Cursor.
func (r *reader) Value() []byte {
	if r.points {
		return r.value
	}
	return r.cur.Value()
}

// Close implements zset.Cursor. The reader can be used again.
func (r *reader) Close() error {
	err := r.err
	r.err = nil
	if r.cur != nil {
		err = errors.Join(err, r.cur.Close())
		r.cur = nil
	}
	return err
}
