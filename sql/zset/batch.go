// Package zset is the algebra of changes: collections of rows with signed
// counts (Z-sets) and the changes of such collections, which are Z-sets too.
// See Budiu et al., "DBSP: Automatic Incremental View Maintenance", 2023.
package zset

import (
	"bytes"
	"slices"

	"github.com/helios-sql/helios-sql/sql/types"
)

// A Batch is a Z-set as packed bytes: rows in one arena, each with its weight
// (signed count). The zero Batch is empty and ready. Rows handed out are
// borrowed: valid until Reset.
type Batch struct {
	data    []byte
	entries []entry
}

type entry struct {
	off, end uint32
	w        int64
}

// MaxBytes bounds a batch's arena: offsets have 32 bits.
const MaxBytes = 1<<32 - 1

// Len is the number of entries, Bytes the size of their rows.
func (b *Batch) Len() int { return len(b.entries) }

// Bytes is the size of the rows in bytes.
func (b *Batch) Bytes() int { return len(b.data) }

// Row is the i-th entry's row, borrowed.
func (b *Batch) Row(i int) types.Row {
	e := &b.entries[i]
	return types.Row(b.data[e.off:e.end:e.end])
}

// Weight is the i-th entry's weight.
func (b *Batch) Weight(i int) int64 { return b.entries[i].w }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.data, b.entries = b.data[:0], b.entries[:0]
}

// Append adds a copy of row with weight w.
func (b *Batch) Append(row types.Row, w int64) {
	off := len(b.data)
	b.data = append(b.data, row...)
	b.entries = append(b.entries, entry{uint32(off), uint32(len(b.data)), w})
}

// AppendConcat adds the concatenation of two rows.
func (b *Batch) AppendConcat(l, r types.Row, w int64) {
	off := len(b.data)
	b.data = append(append(b.data, l...), r...)
	b.entries = append(b.entries, entry{uint32(off), uint32(len(b.data)), w})
}

// AppendBatch adds all entries of o, each weight times factor.
func (b *Batch) AppendBatch(o *Batch, factor int64) {
	base := uint32(len(b.data))
	b.data = append(b.data, o.data...)
	for _, e := range o.entries {
		b.entries = append(b.entries, entry{base + e.off, base + e.end, e.w * factor})
	}
}

// Begin returns the arena for a row to be appended to in place; End closes
// the row, from the arena with the row's bytes appended, with weight w.
//
//	buf := b.Begin()
//	buf = types.AppendDatum(buf, …)
//	b.End(buf, w)
//
// Leaving out End discards the row.
func (b *Batch) Begin() []byte { return b.data }

// End closes the row begun with Begin.
func (b *Batch) End(arena []byte, w int64) {
	off := len(b.data)
	b.data = arena
	b.entries = append(b.entries, entry{uint32(off), uint32(len(arena)), w})
}

// Canonical sorts the batch by row bytes, adds up the weights of equal rows
// and drops those that cancel. Two batches are the same Z-set exactly when
// their canonical forms are equal entry by entry.
func (b *Batch) Canonical() {
	if len(b.entries) > 1 {
		data := b.data
		slices.SortFunc(b.entries, func(x, y entry) int {
			return bytes.Compare(data[x.off:x.end], data[y.off:y.end])
		})
	}
	out := b.entries[:0]
	for i := 0; i < len(b.entries); {
		e := b.entries[i]
		j := i + 1
		for ; j < len(b.entries); j++ {
			o := b.entries[j]
			if !bytes.Equal(b.data[e.off:e.end], b.data[o.off:o.end]) {
				break
			}
			e.w += o.w
		}
		if e.w != 0 {
			out = append(out, e)
		}
		i = j
	}
	b.entries = out
}

// Equal reports whether two canonical batches are the same Z-set.
func (b *Batch) Equal(o *Batch) bool {
	if b.Len() != o.Len() {
		return false
	}
	for i := range b.entries {
		if b.Weight(i) != o.Weight(i) || !bytes.Equal(b.Row(i), o.Row(i)) {
			return false
		}
	}
	return true
}
