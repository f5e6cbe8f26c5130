package engine

import (
	"bytes"
	"encoding/binary"

	"github.com/tidwall/btree"

	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// An overlay is what a client's transaction has changed in one table and not
// yet committed: the table's entries as they would be, beside what they were
// when first read. It reads as the table with the changes in.
//
// Cost: memory for each row changed; reads merge two ordered sequences.
type overlay struct {
	base    op.Arrangement
	entries *btree.BTreeG[*overlayEntry]
	bytes   int
}

// An overlayEntry is one changed entry. A nil value says that there is none.
type overlayEntry struct {
	key      []byte
	now, was []byte
}

func newOverlay(base op.Arrangement) *overlay {
	return &overlay{base: base, entries: btree.NewBTreeGOptions(
		func(a, b *overlayEntry) bool { return bytes.Compare(a.key, b.key) < 0 },
		btree.Options{NoLocks: true})}
}

// entry gives the entry of a key, reading what it was on first use.
func (o *overlay) entry(key []byte) (*overlayEntry, error) {
	if e, ok := o.entries.Get(&overlayEntry{key: key}); ok {
		return e, nil
	}
	was, ok, err := o.base.Get(key)
	if err != nil {
		return nil, err
	}
	e := &overlayEntry{key: bytes.Clone(key)}
	if ok {
		e.was = append([]byte{}, was...)
		e.now = e.was
	}
	o.entries.Set(e)
	o.bytes += len(e.key) + len(e.was) + 64
	return e, nil
}

// Get gives a key's value with the changes in.
func (o *overlay) Get(key []byte) ([]byte, bool, error) {
	if e, ok := o.entries.Get(&overlayEntry{key: key}); ok {
		return e.now, e.now != nil, nil
	}
	return o.base.Get(key)
}

// Read is Get.
func (o *overlay) Read(key []byte) ([]byte, bool, error) { return o.Get(key) }

// GetAll implements op.Arrangement.
func (o *overlay) GetAll(l *zset.Lookups) error { return op.GetEach(o, l) }

// Set changes an entry.
func (o *overlay) Set(key, value []byte) error {
	return o.put(key, append([]byte{}, value...))
}

// Delete removes an entry.
func (o *overlay) Delete(key []byte) error { return o.put(key, nil) }

// Add adds to a count, those of the changes included.
func (o *overlay) Add(key []byte, n uint64) error {
	value, ok, err := o.Get(key)
	if err != nil {
		return err
	}
	if ok {
		before, _ := binary.Uvarint(value)
		n += before
	}
	return o.put(key, binary.AppendUvarint(nil, n))
}

func (o *overlay) put(key, value []byte) error {
	e, err := o.entry(key)
	if err != nil {
		return err
	}
	o.entries.Set(&overlayEntry{key: e.key, was: e.was, now: value})
	o.bytes += len(value)
	return nil
}

// clone gives a copy, for a savepoint; entries are never changed in place.
func (o *overlay) clone() *overlay {
	return &overlay{base: o.base, entries: o.entries.Copy(), bytes: o.bytes}
}

// Cursor walks the table with the changes in.
func (o *overlay) Cursor() (zset.Cursor, error) {
	c, err := o.base.Cursor()
	if err != nil {
		return nil, err
	}
	return &overlayCursor{base: c, iter: o.entries.Iter()}, nil
}

// An overlayCursor merges the base's cursor with the changed entries. Where
// both have a key, the changed entry counts.
type overlayCursor struct {
	base    zset.Cursor
	iter    btree.IterG[*overlayEntry]
	high    []byte
	baseOK  bool
	iterOK  bool
	onEntry bool // the current entry is iter's
}

func (c *overlayCursor) Seek(prefix []byte) bool {
	return c.start(prefix, prefixEnd(prefix), c.base.Seek(prefix))
}

func (c *overlayCursor) Range(low, high []byte) bool {
	return c.start(low, high, c.base.Range(low, high))
}

func (c *overlayCursor) start(low, high []byte, baseOK bool) bool {
	c.high, c.baseOK = high, baseOK
	c.iterOK = c.iter.Seek(&overlayEntry{key: low})
	return c.settle()
}

// settle chooses the next live entry at or behind both positions.
func (c *overlayCursor) settle() bool {
	for {
		iterOK := c.iterOK && (c.high == nil || bytes.Compare(c.iter.Item().key, c.high) < 0)
		if !iterOK {
			c.onEntry = false
			return c.baseOK
		}
		order := -1
		if c.baseOK {
			order = bytes.Compare(c.iter.Item().key, c.base.Key())
		}
		if order > 0 {
			c.onEntry = false
			return true
		}
		if order == 0 {
			c.baseOK = c.base.Next()
		}
		if c.iter.Item().now != nil {
			c.onEntry = true
			return true
		}
		c.iterOK = c.iter.Next()
	}
}

func (c *overlayCursor) Next() bool {
	if c.onEntry {
		c.iterOK = c.iter.Next()
	} else {
		c.baseOK = c.base.Next()
	}
	return c.settle()
}

func (c *overlayCursor) Key() []byte {
	if c.onEntry {
		return c.iter.Item().key
	}
	return c.base.Key()
}

func (c *overlayCursor) Value() []byte {
	if c.onEntry {
		return c.iter.Item().now
	}
	return c.base.Value()
}

func (c *overlayCursor) Close() error {
	c.iter.Release()
	return c.base.Close()
}

// prefixEnd is the least key behind all keys with the prefix; nil: none.
func prefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := bytes.Clone(prefix[:i+1])
			end[i]++
			return end
		}
	}
	return nil
}
