package op

import (
	"bytes"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// An index counts what groups hold: group Key ‖ item → count. changes are
// those of the group at hand, items being keys and rows of it together.
type index struct {
	cur     reader
	changes keyed
	least   liveness
	key     []byte
	unique  bool // no item is there twice: written without being read
	grows   bool // nothing is ever retracted: the least is all there is to know
}

// apply adds the changes to the counts.
func (x *index) apply(group []byte) error {
	for e := range x.changes.len() {
		x.key = append(append(x.key[:0], group...), x.changes.both(e)...)
		var err error
		switch w := x.changes.ents[e].w; {
		case !x.unique:
			err = bump(x.cur.rows, x.key, w)
		case w > 0:
			err = x.cur.rows.Set(x.key, countOne)
		default:
			err = x.cur.rows.Delete(x.key)
		}
		if err != nil {
			return err
		}
	}
	x.changes.reset()
	return nil
}

// leastAfter gives the least item of the group after the changes, which have
// no keys, if before was the least until now; empty is none. The index is read only if the least
// is retracted.
func (x *index) leastAfter(group, before []byte) []byte {
	var least []byte
	for e := range x.changes.len() {
		item, w := x.changes.row(e), x.changes.ents[e].w
		if w < 0 && bytes.Equal(item, before) {
			_, after := x.least.run(&x.cur, group, before, &x.changes, 0, x.changes.len())
			return after
		}
		if w > 0 && least == nil {
			least = item
		}
	}
	if least == nil || len(before) > 0 && bytes.Compare(before, least) < 0 {
		return before
	}
	return least
}

// settle makes least the group's least item after the changes and applies them.
func (x *index) settle(group []byte, least *[]byte) error {
	x.changes.sort()
	if x.changes.len() == 0 {
		x.changes.reset()
		return nil
	}
	if after := x.leastAfter(group, *least); len(after) == 0 {
		*least = (*least)[:0]
	} else if !bytes.Equal(after, *least) {
		*least = append((*least)[:0], after...)
	}
	if x.grows {
		for e := range x.changes.len() {
			if x.changes.ents[e].w < 0 {
				return pgerr.Newf(pgerr.InternalError, "a row was retracted from a query's input")
			}
		}
		x.changes.reset()
		return nil
	}
	return x.apply(group)
}

// A valueIndex finds the least or greatest value of a group. State: group Key ‖
// Key(value) ‖ value, unless its key tells it ‖ the columns that tell rows apart → count, Key(value) being
// inverted for the greatest, so that it comes first. Of values that are equal but differ in bytes the least by bytes is taken.
// Cost: one blind write per value that comes or goes (a read for one that goes, if
// nothing tells rows apart); one seek if the extreme is retracted.
//
// It is its aggregate's accumulator, too: the extreme's item.
type valueIndex struct {
	index
	ts       []types.Type // of the value
	tells    bool         // its key tells it
	tell     []int        // columns
	greatest bool
	extreme  []byte
	scratch  []byte
}

// collect records a change of the group at hand: the value at s of a row with
// the spans.
func (x *valueIndex) collect(row types.Row, s types.Span, spans []types.Span, w int64) {
	kd := &x.changes
	off := len(kd.data)
	buf := types.AppendKeySpan(kd.data, x.ts[0].OID, row, s)
	if x.greatest {
		invert(buf[off:])
	}
	if !x.tells {
		buf = types.AppendValue(buf, row[s.Off:s.Off+s.Len])
	}
	for _, c := range x.tell {
		buf = appendSpan(buf, row, spans[c])
	}
	kd.end(buf, off, off, false, w)
}

func invert(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

func (x *valueIndex) finish(group []byte) error { return x.settle(group, &x.extreme) }

func (x *valueIndex) reset()                 { x.extreme = x.extreme[:0] }
func (x *valueIndex) load(state []byte)      { x.extreme = append(x.extreme[:0], state...) }
func (x *valueIndex) save(dst []byte) []byte { return append(dst, x.extreme...) }
func (x *valueIndex) add([]byte, int64)      {}

func (x *valueIndex) result(dst []byte) ([]byte, error) {
	if len(x.extreme) == 0 {
		return types.AppendNull(dst), nil
	}
	key := x.extreme
	if x.greatest {
		x.scratch = append(x.scratch[:0], key...)
		invert(x.scratch)
		key = x.scratch
	}
	if x.tells {
		return types.AppendValueOfKey(dst, x.ts[0].OID, key), nil
	}
	value := x.extreme[types.SkipKey(key, x.ts):]
	return append(dst, value[:types.Skip(value, 0)]...), nil
}

// A distinctIndex feeds an accumulator one of each value of a group. State:
// group Key ‖ Key(value) ‖ value → count. Of values that are equal but differ in bytes the least
// by bytes is fed. Cost: one seek, one read and one write per value touched.
type distinctIndex struct {
	index
	oid    types.OID
	prefix []byte
}

// collect records a change of the group at hand.
func (x *distinctIndex) collect(row types.Row, s types.Span, w int64) {
	kd := &x.changes
	off := len(kd.data)
	buf := types.AppendKeySpan(kd.data, x.oid, row, s)
	mid := len(buf)
	kd.end(types.AppendValue(buf, row[s.Off:s.Off+s.Len]), off, mid, false, w)
}

func (x *distinctIndex) finish(group []byte, acc accumulator) error {
	kd := &x.changes
	kd.sort()
	for i, j := 0, 0; i < kd.len(); i = j {
		j = kd.group(i)
		x.prefix = append(append(x.prefix[:0], group...), kd.key(i)...)
		before, after := x.least.run(&x.cur, x.prefix, nil, kd, i, j)
		if before != nil && after != nil && bytes.Equal(before, after) {
			continue
		}
		if before != nil {
			acc.add(payload(before), -1)
		}
		if after != nil {
			acc.add(payload(after), 1)
		}
	}
	return x.apply(group)
}

// payload is the payload of a single value.
func payload(value []byte) []byte {
	p, _ := types.Row(value).Value(0)
	return p
}
