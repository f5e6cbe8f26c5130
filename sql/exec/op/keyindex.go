package op

import (
	"context"
	"errors"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// A KeyIndex is an Arrange of rows that lie in a stored relation already: it
// keeps where. State: part "rows", Key of its columns ‖ Key of the relation → nothing;
// "errs". Cost: a blind write per row that comes or goes; none for a change that leaves
// both keys alone.
type KeyIndex struct {
	Arrange
	tell keyer // the relation's key
	keys keyed
}

// NewKeyIndex gives the operator over rows of types in, which have the key of
// the relation in the columns tell.
func NewKeyIndex(in []types.Type, key, tell []int, open Open) (*KeyIndex, error) {
	a, err := NewArrange(in, key, true, open)
	if err != nil {
		return nil, err
	}
	return &KeyIndex{Arrange: *a, tell: newKeyer(in, tell)}, nil
}

// Eval integrates the change.
func (x *KeyIndex) Eval(in []*Delta, out *Delta) error {
	if err := x.take(in[0], out); err != nil {
		return err
	}
	x.keys.reset()
	for i := range x.delta.len() {
		off := len(x.keys.data)
		key, _ := x.tell.append(append(x.keys.data, x.delta.key(i)...), x.delta.row(i))
		x.keys.end(key, off, len(key), false, x.delta.ents[i].w)
	}
	x.keys.sort()
	for i := range x.keys.len() {
		var err error
		if x.keys.ents[i].w > 0 {
			err = x.rows.Set(x.keys.key(i), nil)
		} else {
			err = x.rows.Delete(x.keys.key(i))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Scan enumerates the input: its rows lie there in order.
func (x *KeyIndex) Scan(ctx context.Context, in []ScanFunc, emit, emitErr Emit) error {
	if emit != nil {
		if err := in[0](ctx, emit, nil); err != nil {
			return err
		}
	}
	return x.errs.scan(ctx, emitErr)
}

// Indexed is what a KeyIndex of the input (Types, Key) of a join and the
// relation (Rows), which has the input's columns at Cols, are together: Key ‖
// Key of the relation → row of the input. Cost: a point read per row.
type Indexed struct {
	Arrangement // the index
	Types       []types.Type
	Key         []int
	Rows        Arrangement
	Cols        []int
	Name        string // of the relation, for errors
}

// Cursor opens a cursor of both.
func (x *Indexed) Cursor() (zset.Cursor, error) {
	cur, err := x.Arrangement.Cursor()
	if err != nil {
		return nil, err
	}
	c := &indexedCursor{Cursor: cur, rows: x.Rows, cols: x.Cols, name: x.Name, none: make(types.Row, len(x.Types))}
	for _, k := range x.Key {
		c.key = append(c.key, x.Types[k])
	}
	for _, col := range x.Cols {
		c.width = max(c.width, col+1)
	}
	return c, nil
}

// An indexedCursor walks an index, and reads a row when it is asked for it.
type indexedCursor struct {
	zset.Cursor
	rows  Arrangement
	key   []types.Type // before the relation's key
	cols  []int
	name  string
	width int // columns of the relation to locate
	at    []int
	row   []byte
	none  types.Row // stands for one that could not be read
	err   error
}

// Value implements zset.Cursor.
func (c *indexedCursor) Value() []byte {
	key := c.Key()
	row, ok, err := c.rows.Read(key[types.SkipKey(key, c.key):])
	if err == nil && !ok {
		err = pgerr.Newf(pgerr.DataCorrupted, "an index tells of a row of \"%s\" that is not there", c.name)
	}
	if err != nil {
		c.err = errors.Join(c.err, err)
		return c.none
	}
	c.at = append(c.at[:0], 0)
	for i := range c.width {
		c.at = append(c.at, types.Skip(row, c.at[i]))
	}
	c.row = c.row[:0]
	for _, col := range c.cols {
		c.row = append(c.row, row[c.at[col]:c.at[col+1]]...)
	}
	return c.row
}

// Next implements zset.Cursor.
func (c *indexedCursor) Next() bool { return c.err == nil && c.Cursor.Next() }

// Close implements zset.Cursor.
func (c *indexedCursor) Close() error { return errors.Join(c.err, c.Cursor.Close()) }
