package op

import (
	"bytes"
	"errors"

	"github.com/helios-sql/helios-sql/sql/zset"
)

// A reader is a cursor that is opened when it is first used: most ticks need
// few of the cursors that an operator may need. Where what is sought are always whole
// keys, it reads points instead, which the store keeps at hand if they are hot; many that will be
// sought in this order can be looked up at once.
type reader struct {
	rows   Arrangement
	points bool
	cur    zset.Cursor
	key    []byte // of the point read; borrowed
	value  []byte
	own    []byte // memory for it
	err    error
	ahead  zset.Lookups
	next   int // of ahead
}

var _ zset.Cursor = (*reader)(nil)

// Seek implements zset.Cursor.
func (r *reader) Seek(prefix []byte) bool {
	if r.err != nil {
		return false
	}
	if r.points && r.next < r.ahead.Len() && bytes.Equal(r.ahead.Key(r.next), prefix) {
		r.key, r.value = prefix, r.ahead.Value(r.next)
		r.next++
		return r.value != nil
	}
	if r.points {
		value, ok, err := r.rows.Get(prefix)
		r.own = append(r.own[:0], value...)
		r.key, r.value, r.err = prefix, r.own, err
		return ok && err == nil
	}
	return r.open() && r.cur.Seek(prefix)
}

// Range implements zset.Cursor.
func (r *reader) Range(low, high []byte) bool {
	return r.err == nil && r.open() && r.cur.Range(low, high)
}

// lookUp looks the keys of the groups of kd up that are not NULL: they are sought next.
func (r *reader) lookUp(kd *keyed) {
	if !r.points || r.err != nil {
		return
	}
	r.ahead.Reset()
	r.next = 0
	for i := 0; i < kd.len(); i = kd.group(i) {
		if !kd.ents[i].null {
			r.ahead.Add(kd.key(i))
		}
	}
	r.err = r.rows.GetAll(&r.ahead)
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
	r.err, r.next = nil, r.ahead.Len()
	if r.cur != nil {
		err = errors.Join(err, r.cur.Close())
		r.cur = nil
	}
	return err
}
