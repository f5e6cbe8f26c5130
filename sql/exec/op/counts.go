package op

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sort"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// An Open gives the arrangement of a part of one operator's state.
type Open func(part string) (Arrangement, error)

var countOne = []byte{1}

// count reads a count as arrangements hold it.
func count(value []byte) int64 {
	n, _ := binary.Uvarint(value)
	return int64(n)
}

// bump adds w to the count at key, which must not become negative. Cost: one
// blind write, if the count grows; else one read and one write.
func bump(a Arrangement, key []byte, w int64) error {
	if w > 0 {
		return a.Add(key, uint64(w))
	}
	value, ok, err := a.Get(key)
	if err != nil {
		return err
	}
	var before int64
	if ok {
		before = count(value)
	}
	return put(a, key, before, before+w)
}

// put replaces the count before at key by after.
func put(a Arrangement, key []byte, before, after int64) error {
	switch {
	case after < 0:
		return pgerr.Newf(pgerr.InternalError, "state has %d of a row of which %d were retracted", before, before-after)
	case after == 0:
		if before == 0 {
			return nil
		}
		return a.Delete(key)
	}
	var buf [binary.MaxVarintLen64]byte
	return a.Set(key, buf[:binary.PutUvarint(buf[:], uint64(after))])
}

// walk visits the entries with low <= key < high.
func walk(ctx context.Context, a Arrangement, low, high []byte, visit func(key, value []byte) error) (err error) {
	cur, err := a.Cursor()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	n := 0
	for ok := cur.Range(low, high); ok; ok = cur.Next() {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := visit(cur.Key(), cur.Value()); err != nil {
			return err
		}
	}
	return nil
}

// GetEach looks one key up after the other.
func GetEach(a Arrangement, l *zset.Lookups) error {
	for i := range l.Len() {
		value, ok, err := a.Get(l.Key(i))
		if err != nil {
			return err
		}
		if ok {
			l.Found(0, i, value)
		}
	}
	return nil
}

// A bag integrates a Z-set: row bytes → count.
type bag struct {
	a     Arrangement
	batch zset.Batch
}

// add integrates a change.
func (b *bag) add(d *zset.Batch) error {
	if d.Len() == 0 {
		return nil
	}
	b.batch.Reset()
	b.batch.AppendBatch(d, 1)
	b.batch.Canonical()
	for i := range b.batch.Len() {
		if err := bump(b.a, b.batch.Row(i), b.batch.Weight(i)); err != nil {
			return err
		}
	}
	return nil
}

// scan enumerates the bag.
func (b *bag) scan(ctx context.Context, emit Emit) error {
	if emit == nil {
		return nil
	}
	return walk(ctx, b.a, nil, nil, func(key, value []byte) error { return emit(key, count(value)) })
}

// AppendError appends a scalar error to a delta's errors. An error without an
// SQLSTATE is not one of the data and is returned.
func AppendError(errs *zset.Batch, err error, w int64) error {
	row, err := errorRow(errs.Begin(), err)
	if err != nil {
		return err
	}
	errs.End(row, w)
	return nil
}

func errorRow(dst []byte, err error) ([]byte, error) {
	var e *pgerr.Error
	if !errors.As(err, &e) {
		return dst, err
	}
	dst = types.AppendHeader(dst, len(e.Code))
	dst = append(dst, e.Code...)
	dst = types.AppendHeader(dst, len(e.Message))
	return append(dst, e.Message...), nil
}

// ErrorOf makes a row of Errs the error that a reader gets.
func ErrorOf(row types.Row) *pgerr.Error {
	code, _ := row.Value(0)
	msg, _ := row.Value(1)
	return &pgerr.Error{Code: pgerr.Code(code), Message: string(msg)}
}

// A liveness tells, for a prefix of an index of counts (prefix ‖ rest →
// count), the least rest with a positive count before a change and after it. It reads at
// most one entry more than the change has.
type liveness struct{ before, after, low, high []byte }

// run compares the entries of cur under prefix with the changes i to j of kd,
// whose rows are the rests. Nil stands for none. No rest is less than from: what was deleted
// there lately, like the front of a queue, would be slow to walk over.
func (l *liveness) run(cur zset.Cursor, prefix, from []byte, kd *keyed, i, j int) (before, after []byte) {
	hadBefore := false
	if l.before == nil {
		l.before, l.after = make([]byte, 0, 64), make([]byte, 0, 64)
	}
	l.low = append(append(l.low[:0], prefix...), from...)
	l.high = appendPrefixEnd(l.high[:0], prefix)
	for ok := cur.Range(l.low, l.high); ok; ok = cur.Next() {
		rest := cur.Key()[len(prefix):]
		if !hadBefore {
			l.before, hadBefore = append(l.before[:0], rest...), true
		}
		n := count(cur.Value())
		for i < j {
			c := bytes.Compare(kd.row(i), rest)
			if c > 0 {
				break
			}
			w := kd.ents[i].w
			i++
			if c == 0 {
				n += w
				break
			}
			if w > 0 {
				return l.before, kd.row(i - 1)
			}
		}
		if n > 0 {
			l.after = append(l.after[:0], rest...)
			return l.before, l.after
		}
	}
	if hadBefore {
		before = l.before
	}
	for ; i < j; i++ {
		if kd.ents[i].w > 0 {
			return before, kd.row(i)
		}
	}
	return before, nil
}

// appendPrefixEnd appends the least key behind all that start with prefix; nil
// if there is none.
func appendPrefixEnd(dst, prefix []byte) []byte {
	for n := len(prefix); n > 0; n-- {
		if prefix[n-1] < 0xff {
			dst = append(dst, prefix[:n]...)
			dst[len(dst)-1]++
			return dst
		}
	}
	return nil
}

// weightOf finds the weight of a row among the entries i to j, which share a
// key; 0 if it is not there.
func (k *keyed) weightOf(row types.Row, i, j int) int64 {
	p := i + sort.Search(j-i, func(n int) bool { return bytes.Compare(k.row(i+n), row) >= 0 })
	if p < j && bytes.Equal(k.row(p), row) {
		return k.ents[p].w
	}
	return 0
}
