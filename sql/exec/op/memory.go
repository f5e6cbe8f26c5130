package op

import (
	"bytes"
	"encoding/binary"

	"github.com/tidwall/btree"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// A Budget bounds the bytes that the Memories sharing it may hold. The zero
// Budget and a nil one have no bound.
type Budget struct {
	Limit int // bytes; 0: none
	used  int
}

func (b *Budget) take(n int) error {
	if b == nil {
		return nil
	}
	b.used += n
	if b.Limit > 0 && b.used > b.Limit {
		return pgerr.Newf(pgerr.OutOfMemory, "out of memory").
			WithDetail("The query's state exceeds its memory budget of %d bytes.", b.Limit)
	}
	return nil
}

// A Memory is an Arrangement in memory: a B-tree over slabs of packed bytes.
// Writes are seen after Commit. Its cost is about 40 bytes per entry beside the bytes
// themselves. One goroutine may use it.
type Memory struct {
	budget  *Budget
	tree    *btree.BTreeG[memItem]
	hint    btree.PathHint
	slab    []byte
	held    int // bytes of all slabs
	garbage int // bytes of them that no item uses

	pend    []byte
	writes  []memWrite
	cursors []*memCursor // closed, to be reused
}

// A memItem is an entry: b is the key, k bytes, and then the value; its
// capacity is its own.
type memItem struct {
	b []byte
	k int
}

type memWrite struct {
	off, mid, end int
	del           bool
}

const (
	memSlab     = 64 << 10
	memOverhead = 40
)

// NewMemory gives an empty Memory. The budget may be nil.
func NewMemory(budget *Budget) *Memory {
	less := func(a, b memItem) bool { return bytes.Compare(a.b[:a.k], b.b[:b.k]) < 0 }
	return &Memory{budget: budget, tree: btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})}
}

// Len is the number of committed entries.
func (m *Memory) Len() int { return m.tree.Len() }

// Get gives a key's value, borrowed until the next Commit.
func (m *Memory) Get(key []byte) ([]byte, bool, error) {
	it, ok := m.tree.GetHint(memItem{key, len(key)}, &m.hint)
	if !ok {
		return nil, false, nil
	}
	return it.b[it.k:], true, nil
}

// Read is Get.
func (m *Memory) Read(key []byte) ([]byte, bool, error) { return m.Get(key) }

// GetAll implements Arrangement.
func (m *Memory) GetAll(l *zset.Lookups) error { return GetEach(m, l) }

// Set records a write.
func (m *Memory) Set(key, value []byte) error {
	off := len(m.pend)
	m.pend = append(append(m.pend, key...), value...)
	m.writes = append(m.writes, memWrite{off, off + len(key), len(m.pend), false})
	return nil
}

// Delete records a deletion.
func (m *Memory) Delete(key []byte) error {
	off := len(m.pend)
	m.pend = append(m.pend, key...)
	m.writes = append(m.writes, memWrite{off, len(m.pend), len(m.pend), true})
	return nil
}

// Add records the write of the count that results.
func (m *Memory) Add(key []byte, n uint64) error {
	if value, ok, _ := m.Get(key); ok {
		n += uint64(count(value))
	}
	var buf [binary.MaxVarintLen64]byte
	return m.Set(key, buf[:binary.PutUvarint(buf[:], n)])
}

// Commit applies the writes recorded since the last one, in order.
func (m *Memory) Commit() error {
	for _, w := range m.writes {
		if err := m.apply(m.pend[w.off:w.end], w.mid-w.off, w.del); err != nil {
			return err
		}
	}
	m.pend, m.writes = m.pend[:0], m.writes[:0]
	if m.garbage > 1<<20 && m.garbage > m.held/2 {
		m.compact()
	}
	return nil
}

func (m *Memory) apply(kv []byte, k int, del bool) error {
	probe := memItem{kv, k}
	if del {
		if old, ok := m.tree.DeleteHint(probe, &m.hint); ok {
			m.garbage += cap(old.b)
			return m.budget.take(-memOverhead)
		}
		return nil
	}
	old, ok := m.tree.GetHint(probe, &m.hint)
	if ok && len(kv) <= cap(old.b) {
		copy(old.b[k:len(kv)], kv[k:])
		if len(kv) != len(old.b) {
			m.tree.SetHint(memItem{old.b[:len(kv)], k}, &m.hint)
		}
		return nil
	}
	// A value that grew once will grow again: an accumulator.
	room := len(kv)
	if ok {
		m.garbage += cap(old.b)
		room += room / 4
	} else if err := m.budget.take(memOverhead); err != nil {
		return err
	}
	b, err := m.alloc(room)
	if err != nil {
		return err
	}
	m.tree.SetHint(memItem{append(b, kv...), k}, &m.hint)
	return nil
}

// alloc cuts n bytes of capacity from the current slab.
func (m *Memory) alloc(n int) ([]byte, error) {
	if n > cap(m.slab)-len(m.slab) {
		size := max(memSlab, n)
		if m.held < memSlab { // a small state stays small
			size = max(1<<10, m.held, n)
		}
		if err := m.budget.take(size); err != nil {
			return nil, err
		}
		m.garbage += cap(m.slab) - len(m.slab)
		m.slab, m.held = make([]byte, 0, size), m.held+size
	}
	off := len(m.slab)
	m.slab = m.slab[:off+n]
	return m.slab[off : off : off+n], nil
}

// compact copies the live entries to new slabs.
func (m *Memory) compact() {
	live := m.held - m.garbage
	slab := make([]byte, 0, live+live/8)
	m.tree.WalkMut(func(items []memItem) bool {
		for i := range items {
			it := &items[i]
			off := len(slab)
			slab = append(slab, it.b...)
			it.b = slab[off:len(slab):len(slab)]
		}
		return true
	})
	if m.budget != nil {
		m.budget.used += cap(slab) - m.held
	}
	m.slab, m.held, m.garbage = slab, cap(slab), 0
}

// Cursor opens a cursor over the committed entries.
func (m *Memory) Cursor() (zset.Cursor, error) {
	var c *memCursor
	if n := len(m.cursors); n > 0 {
		c, m.cursors = m.cursors[n-1], m.cursors[:n-1]
	} else {
		c = &memCursor{m: m}
	}
	c.it.Init(m.tree, false)
	return c, nil
}

type memCursor struct {
	m            *Memory
	it           btree.IterG[memItem]
	cur          memItem
	prefix, high []byte
	hint         btree.PathHint
}

func (c *memCursor) Seek(prefix []byte) bool {
	c.prefix, c.high = append(c.prefix[:0], prefix...), nil
	return c.here(c.it.SeekHint(memItem{c.prefix, len(prefix)}, &c.hint))
}

func (c *memCursor) Range(low, high []byte) bool {
	c.prefix, c.high = c.prefix[:0], high
	return c.here(c.it.SeekHint(memItem{low, len(low)}, &c.hint))
}

func (c *memCursor) Next() bool { return c.here(c.it.Next()) }

func (c *memCursor) here(ok bool) bool {
	if !ok {
		return false
	}
	c.cur = c.it.Item()
	key := c.cur.b[:c.cur.k]
	return bytes.HasPrefix(key, c.prefix) && (c.high == nil || bytes.Compare(key, c.high) < 0)
}

func (c *memCursor) Key() []byte   { return c.cur.b[:c.cur.k:c.cur.k] }
func (c *memCursor) Value() []byte { return c.cur.b[c.cur.k:] }

func (c *memCursor) Close() error {
	c.it.Release()
	c.cur = memItem{}
	c.m.cursors = append(c.m.cursors, c)
	return nil
}
