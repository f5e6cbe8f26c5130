package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// A tableDiff is what makes one relation another.
type tableDiff struct{ changes zset.Changes }

// diffTables compares a relation with a copy of the same columns and key.
// Nothing changes either meanwhile. Cost: a scan of both; the changes are in memory.
func (e *Engine) diffTables(ctx context.Context, rel, copied *catalog.Relation) (d *tableDiff, err error) {
	snap := e.store.Snapshot()
	defer snap.Release()
	errs, err := snap.Open(physical.RelationFingerprint(uint32(rel.ID)), "errs")
	if err != nil {
		return nil, err
	}
	ec, err := errs.Cursor()
	if err != nil {
		return nil, err
	}
	d = &tableDiff{}
	anew := ec.Range(nil, nil)
	if err := ec.Close(); err != nil {
		return nil, err
	}
	var cur [2]zset.Cursor
	var ok [2]bool
	for i, r := range []*catalog.Relation{rel, copied} {
		a, err := snap.Open(physical.RelationFingerprint(uint32(r.ID)), "rows")
		if err != nil {
			return nil, err
		}
		if cur[i], err = a.Cursor(); err != nil {
			return nil, err
		}
		c := cur[i]
		defer func() { err = errors.Join(err, c.Close()) }()
		ok[i] = c.Range(nil, nil)
	}
	if anew { // changes that could not be applied went before: only a truncation takes that back
		d.changes.Append(zset.Truncate, zset.OldNone, nil, nil)
		ok[0] = false
	}
	for n := 0; ok[0] || ok[1]; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, canceled(ctx)
		}
		order := 0
		switch {
		case !ok[0]:
			order = 1
		case !ok[1]:
			order = -1
		default:
			order = bytes.Compare(cur[0].Key(), cur[1].Key())
		}
		if len(rel.Key) > 0 {
			d.row(order, cur[0], cur[1])
		} else {
			d.count(order, cur[0], cur[1])
		}
		if order <= 0 {
			ok[0] = cur[0].Next()
		}
		if order >= 0 {
			ok[1] = cur[1].Next()
		}
		if d.changes.Bytes() > e.opts.RecordMaxBytes {
			return nil, pgerr.Newf(pgerr.InsufficientResources, "table %q differs from its source by more than %d bytes", rel.Name, e.opts.RecordMaxBytes).
				WithHint("Drop the views over it, refresh it, and create them again; or raise the memory budget.")
		}
	}
	return d, nil
}

// row compares two entries of keyed relations; order tells which of them are there.
func (d *tableDiff) row(order int, was, is zset.Cursor) {
	switch {
	case order < 0:
		d.changes.Append(zset.Delete, zset.OldRow, types.Row(was.Value()), nil)
	case order > 0:
		d.changes.Append(zset.Insert, zset.OldNone, nil, types.Row(is.Value()))
	case !bytes.Equal(was.Value(), is.Value()):
		d.changes.Append(zset.Update, zset.OldRow, types.Row(was.Value()), types.Row(is.Value()))
	}
}

// count compares two entries of relations without a key: the row and how often it is there.
func (d *tableDiff) count(order int, was, is zset.Cursor) {
	var n int64
	row := is
	if order <= 0 {
		c, _ := binary.Uvarint(was.Value())
		n, row = -int64(c), was
	}
	if order >= 0 {
		c, _ := binary.Uvarint(is.Value())
		n += int64(c)
	}
	for ; n > 0; n-- {
		d.changes.Append(zset.Insert, zset.OldNone, nil, types.Row(row.Key()))
	}
	for ; n < 0; n++ {
		d.changes.Append(zset.Delete, zset.OldRow, types.Row(row.Key()), nil)
	}
}
