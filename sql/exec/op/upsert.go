package op

import (
	"bytes"
	"context"
	"slices"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// An Upsert is the first operator of a stored table: it makes what the source
// said a consolidated delta, with the table's own old rows and its unchanged TOAST
// values filled in. State, at the table's own name: part "rows", Key → Row, or without a key Row →
// count; "errs".
//
// Cost: an insert of a keyed row is one blind write (after ReadInserts a read more); what an update or delete
// finds first in a batch is one read, in key order; all later changes of the batch
// see the earlier ones in memory. Truncate reads the whole table once and holds its rows as the delta.
//
// An update or delete whose old row is not there is an error of the table
// (XX001), which stays until the table is truncated: what is wrong is never guessed.
type Upsert struct {
	BaseEncoder
	name string
	rows Arrangement
	errs bag

	readInserts bool // an insert may find a row of its key

	kd      keyed   // without a key: the row changes
	touches []touch // with a key: the old and new key of each change
	keys    []byte
	slots   []slot
	lookups zset.Lookups // of base rows
	olds    []byte       // rows completed
	slotOf  []int32
	errored zset.Batch
}

// A touch is the key of one side of a change.
type touch struct {
	head     uint64
	off, end uint32
	change   int32
	isNew    bool
}

// A slot is what is known of one key within the batch.
type slot struct {
	touch         int32 // one of its touches
	read          bool  // its first change needs the base row
	base, current types.Row
	dirty         bool
}

// NewUpsert gives the operator of a table with columns cols and the key
// columns key; nil: a table without a key.
func NewUpsert(name string, cols []types.Type, key []int, open Open) (*Upsert, error) {
	rows, err := open("rows")
	if err != nil {
		return nil, err
	}
	errs, err := open("errs")
	if err != nil {
		return nil, err
	}
	return &Upsert{BaseEncoder: *NewBaseEncoder(cols, key), name: name, rows: rows, errs: bag{a: errs}}, nil
}

// ReadInserts makes an insert replace the row of its key, if there is one: of a
// table that may lose rows without being told.
func (u *Upsert) ReadInserts() { u.readInserts = true }

// A BaseEncoder makes rows the entries of a stored relation, for loading them
// in bulk.
type BaseEncoder struct {
	keyer
	ncols int
	keyed bool
	buf   []byte
}

// NewBaseEncoder gives the encoder of a relation of columns cols; a nil key:
// of a relation without one.
func NewBaseEncoder(cols []types.Type, key []int) *BaseEncoder {
	return &BaseEncoder{keyer: newKeyer(cols, key), ncols: len(cols), keyed: key != nil}
}

// Encode gives the entry of a row, borrowed until the next call. Without a key
// v is the count 1: a loader adds up the counts of equal rows.
func (b *BaseEncoder) Encode(row types.Row) (k, v []byte) {
	if !b.keyed {
		return row, countOne
	}
	b.buf, _ = b.append(b.buf[:0], row)
	return b.buf, row
}

// Keyed reports whether the relation has a key.
func (b *BaseEncoder) Keyed() bool { return b.keyed }

// Eval applies changes, in their order.
func (u *Upsert) Eval(in *zset.Changes, out *Delta) error {
	first := 0
	for i := range in.Len() {
		if op, _ := in.Op(i); op == zset.Truncate {
			first = i + 1
		}
	}
	truncated := first > 0
	u.errored.Reset()
	var err error
	if truncated {
		// What came before the last truncation in this batch has no effect.
		if err = u.clear(out); err != nil {
			return err
		}
	}
	if u.keyed {
		err = u.byKey(in, first, truncated, out)
	} else {
		err = u.byRow(in, first, truncated, out)
	}
	if err != nil {
		return err
	}
	out.Errs.AppendBatch(&u.errored, 1)
	out.Errs.Canonical()
	out.Rows.Canonical()
	return u.errs.add(&out.Errs)
}

// clear retracts all rows and errors.
func (u *Upsert) clear(out *Delta) error {
	err := walk(context.Background(), u.rows, nil, nil, func(key, value []byte) error {
		if u.keyed {
			out.Rows.Append(value, -1)
		} else {
			out.Rows.Append(key, -count(value))
		}
		return u.rows.Delete(key)
	})
	if err != nil {
		return err
	}
	return u.errs.scan(context.Background(), func(row types.Row, w int64) error {
		out.Errs.Append(row, -w)
		return nil
	})
}

// fail records an error of the table.
func (u *Upsert) fail(what string) error {
	return AppendError(&u.errored, pgerr.Newf(pgerr.DataCorrupted, "table \"%s\": %s of a row that is not there", u.name, what), 1)
}

func (u *Upsert) byRow(in *zset.Changes, first int, truncated bool, out *Delta) error {
	u.kd.reset()
	for i := first; i < in.Len(); i++ {
		op, kind := in.Op(i)
		switch {
		case op == zset.Insert:
			u.kd.add(nil, in.New(i), 1)
		case kind != zset.OldRow:
			if err := u.fail(opName(op)); err != nil {
				return err
			}
		case op == zset.Delete:
			u.kd.add(nil, in.Old(i), -1)
		default:
			off := len(u.kd.data)
			arena, ok := u.complete(u.kd.data, in.New(i), in.Old(i))
			if !ok {
				if err := u.fail("update"); err != nil {
					return err
				}
				continue
			}
			u.kd.end(arena, off, off, false, 1)
			u.kd.add(nil, in.Old(i), -1)
		}
	}
	u.kd.sort()
	for i := range u.kd.len() {
		row, w := u.kd.row(i), u.kd.ents[i].w
		var before int64
		if !truncated {
			value, ok, err := u.rows.Get(row)
			if err != nil {
				return err
			}
			if ok {
				before = count(value)
			}
		}
		if before+w < 0 {
			if err := u.fail("update or delete"); err != nil {
				return err
			}
			w = -before
		}
		if w == 0 {
			continue
		}
		out.Rows.Append(row, w)
		if err := put(u.rows, row, before, before+w); err != nil {
			return err
		}
	}
	return nil
}

func opName(op zset.Op) string {
	if op == zset.Delete {
		return "delete"
	}
	return "update"
}

// complete appends new with its unchanged values taken from old; ok is false
// if old is not there to take them from.
func (u *Upsert) complete(dst []byte, new, old types.Row) (out []byte, ok bool) {
	noff, ooff := 0, 0
	for range u.ncols {
		nend := types.Skip(new, noff)
		if new[noff] == types.HeaderUnchanged {
			if len(old) == 0 || old[ooff] == types.HeaderUnchanged {
				return dst, false
			}
			dst = append(dst, old[ooff:types.Skip(old, ooff)]...)
		} else {
			dst = append(dst, new[noff:nend]...)
		}
		noff = nend
		if len(old) > 0 {
			ooff = types.Skip(old, ooff)
		}
	}
	return dst, true
}

// unchanged reports whether a row has unchanged values.
func (u *Upsert) unchanged(row types.Row) bool {
	off := 0
	for range u.ncols {
		if row[off] == types.HeaderUnchanged {
			return true
		}
		off = types.Skip(row, off)
	}
	return false
}

func (u *Upsert) byKey(in *zset.Changes, first int, truncated bool, out *Delta) error {
	u.collect(in, first)
	if !truncated {
		if err := u.read(); err != nil {
			return err
		}
	}
	if err := u.replay(in, first); err != nil {
		return err
	}
	for i := range u.slots {
		s := &u.slots[i]
		if !s.dirty || s.base != nil && s.current != nil && bytes.Equal(s.base, s.current) {
			continue
		}
		if s.base != nil {
			out.Rows.Append(s.base, -1)
		}
		var err error
		if s.current != nil {
			out.Rows.Append(s.current, 1)
			err = u.rows.Set(u.touchKey(s.touch), s.current)
		} else {
			err = u.rows.Delete(u.touchKey(s.touch))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *Upsert) touchKey(i int32) []byte {
	t := &u.touches[i]
	return u.keys[t.off:t.end:t.end]
}

// collect computes the keys of all changes, sorts them and gives each distinct
// key a slot; slotOf[2i] and slotOf[2i+1] are those of change first+i's old and new row.
func (u *Upsert) collect(in *zset.Changes, first int) {
	u.touches, u.keys, u.slots, u.olds = u.touches[:0], u.keys[:0], u.slots[:0], u.olds[:0]
	for i := first; i < in.Len(); i++ {
		op, kind := in.Op(i)
		if op == zset.Update && kind != zset.OldNone || op == zset.Delete {
			u.touch(in.Old(i), i-first, false)
		}
		if op != zset.Delete {
			u.touch(in.New(i), i-first, true)
		}
	}
	slices.SortFunc(u.touches, func(x, y touch) int {
		if x.head != y.head {
			if x.head < y.head {
				return -1
			}
			return 1
		}
		if c := bytes.Compare(u.keys[x.off:x.end], u.keys[y.off:y.end]); c != 0 {
			return c
		}
		if x.change != y.change {
			return int(x.change - y.change)
		}
		if x.isNew == y.isNew {
			return 0
		}
		if y.isNew {
			return -1
		}
		return 1
	})
	u.slotOf = slices.Grow(u.slotOf[:0], 2*(in.Len()-first))[:2*(in.Len()-first)]
	for i := range u.slotOf {
		u.slotOf[i] = -1
	}
	for i := range u.touches {
		t := &u.touches[i]
		if i == 0 || !bytes.Equal(u.touchKey(int32(i-1)), u.touchKey(int32(i))) {
			// An insert, and the new row of an update that changes the key, find nothing there.
			op, kind := in.Op(first + int(t.change))
			blind := t.isNew && (op == zset.Insert || kind != zset.OldNone)
			u.slots = append(u.slots, slot{touch: int32(i), read: u.readInserts || !blind})
		}
		side := 2 * t.change
		if t.isNew {
			side++
		}
		u.slotOf[side] = int32(len(u.slots) - 1)
	}
}

func (u *Upsert) touch(row types.Row, change int, isNew bool) {
	off := len(u.keys)
	u.keys, _ = u.append(u.keys, row)
	u.touches = append(u.touches, touch{head(u.keys[off:]), uint32(off), uint32(len(u.keys)), int32(change), isNew})
}

// read fetches the base rows that are needed, in key order.
func (u *Upsert) read() error {
	u.lookups.Reset()
	u.lookups.Once, u.lookups.There = true, !u.readInserts
	for i := range u.slots {
		if s := &u.slots[i]; s.read {
			u.lookups.Add(u.touchKey(s.touch))
		}
	}
	if err := u.rows.GetAll(&u.lookups); err != nil {
		return err
	}
	n := 0
	for i := range u.slots {
		if s := &u.slots[i]; s.read {
			s.base = u.lookups.Value(n)
			s.current = s.base
			n++
		}
	}
	return nil
}

// replay runs the changes over the slots.
func (u *Upsert) replay(in *zset.Changes, first int) error {
	for i := first; i < in.Len(); i++ {
		op, _ := in.Op(i)
		oldSlot, newSlot := u.slotOf[2*(i-first)], u.slotOf[2*(i-first)+1]
		if op == zset.Insert {
			s := &u.slots[newSlot]
			s.current, s.dirty = in.New(i), true
			continue
		}
		if oldSlot < 0 {
			oldSlot = newSlot
		}
		old := &u.slots[oldSlot]
		if old.current == nil {
			if err := u.fail(opName(op)); err != nil {
				return err
			}
			continue
		}
		before := old.current
		old.current, old.dirty = nil, true
		if op == zset.Delete {
			continue
		}
		row := in.New(i)
		if u.unchanged(row) {
			off := len(u.olds)
			u.olds, _ = u.complete(u.olds, row, before)
			row = u.olds[off:len(u.olds):len(u.olds)]
		}
		s := &u.slots[newSlot]
		s.current, s.dirty = types.Row(row), true
	}
	return nil
}

// Scan enumerates the table.
func (u *Upsert) Scan(ctx context.Context, _ []ScanFunc, emit, emitErr Emit) error {
	return ScanRelation(ctx, u.rows, u.keyed, nil, nil, emit, u.errs.a, emitErr)
}
