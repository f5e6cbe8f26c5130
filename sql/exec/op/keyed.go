package op

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/helios-sql/helios-sql/sql/types"
)

// A keyed is a batch of (key, row, weight) in one arena, sorted by key and
// then row and consolidated, as state wants to be touched. It is reused from tick to
// tick.
type keyed struct {
	data []byte
	ents []keyedEntry
}

type keyedEntry struct {
	head          uint64 // the first bytes of key and row, for sorting
	off, mid, end uint32
	null          bool // a value of the key is NULL
	w             int64
}

func (k *keyed) reset() {
	if k.data == nil {
		k.data = make([]byte, 0, 64) // so that no row or rest is nil
	}
	k.data, k.ents = k.data[:0], k.ents[:0]
}

func (k *keyed) len() int { return len(k.ents) }

// key, row and both of the i-th entry, borrowed until reset.
func (k *keyed) key(i int) []byte {
	e := &k.ents[i]
	return k.data[e.off:e.mid:e.mid]
}

func (k *keyed) row(i int) types.Row {
	e := &k.ents[i]
	return types.Row(k.data[e.mid:e.end:e.end])
}

func (k *keyed) both(i int) []byte {
	e := &k.ents[i]
	return k.data[e.off:e.end:e.end]
}

// end closes an entry of which the arena already holds the key from off to
// mid and the row behind it.
func (k *keyed) end(arena []byte, off, mid int, null bool, w int64) {
	k.data = arena
	k.ents = append(k.ents, keyedEntry{0, uint32(off), uint32(mid), uint32(len(arena)), null, w})
}

// add appends copies of a key and a row.
func (k *keyed) add(key []byte, row types.Row, w int64) {
	off := len(k.data)
	k.end(append(append(k.data, key...), row...), off, off+len(key), false, w)
}

// sort sorts by key and row and consolidates.
func (k *keyed) sort() {
	data := k.data
	for i := range k.ents {
		e := &k.ents[i]
		e.head = head(data[e.off:e.end])
	}
	slices.SortFunc(k.ents, func(x, y keyedEntry) int {
		if x.head != y.head {
			if x.head < y.head {
				return -1
			}
			return 1
		}
		return bytes.Compare(data[x.off:x.end], data[y.off:y.end])
	})
	out := k.ents[:0]
	for i := 0; i < len(k.ents); {
		e := k.ents[i]
		j := i + 1
		for ; j < len(k.ents); j++ {
			o := &k.ents[j]
			if e.head != o.head || !bytes.Equal(data[e.off:e.end], data[o.off:o.end]) {
				break
			}
			e.w += o.w
		}
		if e.w != 0 {
			out = append(out, e)
		}
		i = j
	}
	k.ents = out
}

// group gives the end of the run of entries that share the key of entry i.
func (k *keyed) group(i int) int {
	key := k.key(i)
	j := i + 1
	for j < len(k.ents) && bytes.Equal(k.key(j), key) {
		j++
	}
	return j
}

// head is the first eight bytes as a number that orders as the bytes do.
func head(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var h uint64
	for i, c := range b {
		h |= uint64(c) << (56 - 8*i)
	}
	return h
}

// A keyer computes keys of rows: columns cols of rows of n columns.
type keyer struct {
	cols  []int
	ts    []types.Type // of the key columns
	width int          // values to locate: 1 + the last column needed
	spans []types.Span
}

func newKeyer(in []types.Type, cols []int) keyer {
	k := keyer{cols: cols, ts: make([]types.Type, len(cols))}
	for i, c := range cols {
		k.ts[i] = in[c]
		k.width = max(k.width, c+1)
	}
	return k
}

// append appends the row's key and reports whether a value of it is NULL.
func (k *keyer) append(dst []byte, row types.Row) (key []byte, null bool) {
	k.spans = row.Spans(k.width, k.spans)
	for i, c := range k.cols {
		null = null || k.spans[c].Len < 0
		dst = types.AppendKeySpan(dst, k.ts[i].OID, row, k.spans[c])
	}
	return dst, null
}

// load makes kd the delta's rows with their keys, sorted and consolidated.
func (k *keyer) load(kd *keyed, d *Delta) {
	kd.reset()
	for i := range d.Rows.Len() {
		row := d.Rows.Row(i)
		off := len(kd.data)
		buf, null := k.append(kd.data, row)
		mid := len(buf)
		kd.end(append(buf, row...), off, mid, null, d.Rows.Weight(i))
	}
	kd.sort()
}

// identity gives the columns 0…n−1.
func identity(n int) []int {
	cols := make([]int, n)
	for i := range cols {
		cols[i] = i
	}
	return cols
}
