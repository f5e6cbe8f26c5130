package zset

import "github.com/helios-sql/helios-sql/sql/types"

// An Op says what happened to a row of a captured table.
type Op uint8

// The kinds of changes.
const (
	Insert   Op = iota + 1
	Update      // Old is empty, or the old key or old row as the replica identity sends it
	Delete      // Old is the old key or the old row
	Truncate    // the whole table; no rows
)

// OldKind says what the Old of a change holds.
type OldKind uint8

// What a source sends of an old row.
const (
	OldNone OldKind = iota // nothing (an insert; an update that left the key alone)
	OldKey                 // all columns in their places, NULL outside the replica identity key
	OldRow                 // the whole old row (REPLICA IDENTITY FULL)
)

// Changes is an ordered batch of changes of one table, as its source said
// them: packed, not yet a Z-set. New rows may hold unchanged marks. The zero
// Changes is empty and ready; what it hands out is borrowed until Reset.
type Changes struct {
	data    []byte
	entries []change
}

type change struct {
	off, mid, end uint32 // old row, new row
	op            Op
	old           OldKind
}

// Len is the number of changes, Bytes the size of their rows.
func (c *Changes) Len() int { return len(c.entries) }

// Bytes is the size of the rows in bytes.
func (c *Changes) Bytes() int { return len(c.data) }

// Op is the i-th change's operation and what its old row is.
func (c *Changes) Op(i int) (Op, OldKind) { return c.entries[i].op, c.entries[i].old }

// Old is the i-th change's old key or row, borrowed; empty for OldNone.
func (c *Changes) Old(i int) types.Row {
	e := &c.entries[i]
	return types.Row(c.data[e.off:e.mid:e.mid])
}

// New is the i-th change's new row, borrowed; empty for Delete and Truncate.
func (c *Changes) New(i int) types.Row {
	e := &c.entries[i]
	return types.Row(c.data[e.mid:e.end:e.end])
}

// Reset empties the batch and keeps its memory.
func (c *Changes) Reset() { c.data, c.entries = c.data[:0], c.entries[:0] }

// Append adds a copy of a change.
func (c *Changes) Append(op Op, kind OldKind, old, new types.Row) {
	buf := append(c.Begin(), old...)
	mid := len(buf)
	c.End(append(buf, new...), mid, op, kind)
}

// Begin returns the arena to append the old row's bytes and then the new
// row's to; End closes the change: mid is the arena's length between the two.
func (c *Changes) Begin() []byte { return c.data }

// End closes the change begun with Begin.
func (c *Changes) End(arena []byte, mid int, op Op, kind OldKind) {
	off := len(c.data)
	c.data = arena
	c.entries = append(c.entries, change{uint32(off), uint32(mid), uint32(len(arena)), op, kind})
}

// AppendChanges adds all of o's changes behind c's own.
func (c *Changes) AppendChanges(o *Changes) {
	base := uint32(len(c.data))
	c.data = append(c.data, o.data...)
	for _, e := range o.entries {
		c.entries = append(c.entries, change{base + e.off, base + e.mid, base + e.end, e.op, e.old})
	}
}
