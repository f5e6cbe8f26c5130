package state

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
	"io"
	"slices"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// getsBeforeIter is after how many reads of one tick an iterator is opened:
// it costs as much as a few reads and makes each cheaper.
const getsBeforeIter = 4

// An Arrangement is one ordered map of bytes of the store, as a transaction
// or a snapshot sees it. It belongs to one goroutine.
type Arrangement struct {
	s    *Store
	id   partID
	num  uint32
	txn  *Txn      // nil: read only
	snap *Snapshot // nil: of a transaction
	void bool

	low, high []byte // bounds of all its keys
	key       []byte // scratch: number and key
	val       []byte // scratch: what Get gives
	points    [2]points
	free      []*cursor
	reading   bool // in txn.readers

	twin *Arrangement // the other reader of GetAll, which has nothing but points

	space [64]byte // of low, high and short keys
}

func newArrangement(s *Store, id partID, num uint32) *Arrangement {
	a := &Arrangement{s: s, id: id, num: num}
	space := appendNumber(a.space[:0], num)
	a.low = space[:numberLen:numberLen]
	space = appendNumber(space, num+1)
	a.high = space[numberLen : 2*numberLen : 2*numberLen]
	a.key = appendNumber(space[2*numberLen:], num)
	return a
}

// Get gives a key's value, borrowed until the next call. Cost: a copy if the
// hot cache has the key, absent ones too; else a seek in Pebble, which bloom
// filters spare for most absent keys.
func (a *Arrangement) Get(key []byte) (value []byte, ok bool, err error) {
	return a.get(key, false, mayLack)
}

// Read is Get past the hot cache: of one of many keys, in order, that are there and are not
// asked for again soon. In order, most of a seek is what the last one has left.
func (a *Arrangement) Read(key []byte) (value []byte, ok bool, err error) {
	return a.get(key, true, isThere)
}

// Points are what reads of points of one kind keep until the next commit.
type points struct {
	reads int
	it    *pebble.Iterator // nil: not yet worth it
}

// The kinds: keys that may be absent, of which the filters of all levels are
// asked, and keys that are there, as a rule: those of the last level, where most are, are not.
const (
	mayLack = iota
	isThere
)

// Many keys are looked up by two readers, a few at a time: seeks in a large
// state wait for memory most of all. Fewer are not worth waking one.
const (
	togetherKeys = 128
	shareKeys    = 32
)

// GetAll is Get of many keys at once, past the hot cache if they are wanted once.
func (a *Arrangement) GetAll(l *zset.Lookups) error {
	kind := mayLack
	if l.There {
		kind = isThere
	}
	if l.Len() < togetherKeys || a.num == 0 || a.txn == nil || a.void {
		return a.share(l, 0, l.Len(), 0, kind)
	}
	if a.twin == nil {
		a.twin = newArrangement(a.s, a.id, a.num)
		a.twin.txn = a.txn
	}
	if err := errors.Join(a.open(kind), a.twin.open(kind)); err != nil {
		return err
	}
	var next atomic.Int64
	run := func(a *Arrangement, reader int) error {
		for {
			end := int(next.Add(shareKeys))
			if err := a.share(l, end-shareKeys, min(end, l.Len()), reader, kind); err != nil || end >= l.Len() {
				return err
			}
		}
	}
	other := make(chan error, 1)
	go func() { other <- run(a.twin, 1) }()
	err := run(a, 0)
	return errors.Join(err, <-other)
}

// share looks up the keys from begin to end.
func (a *Arrangement) share(l *zset.Lookups, begin, end, reader, kind int) error {
	for i := begin; i < end; i++ {
		value, ok, err := a.get(l.Key(i), l.Once, kind)
		if err != nil {
			return err
		}
		if ok {
			l.Found(reader, i, value)
		}
	}
	return nil
}

func (a *Arrangement) get(key []byte, once bool, kind int) (value []byte, ok bool, err error) {
	if a.num == 0 {
		return nil, false, nil
	}
	a.key = append(a.key[:numberLen], key...)
	if a.snap != nil {
		return a.read(a.snap.db)
	}
	if a.void {
		return nil, false, a.errVoid()
	}
	if once {
		return a.seek(kind)
	}
	hot := a.s.hot
	h := maphash.Bytes(hot.seed, a.key)
	var found bool
	if a.val, ok, found = hot.get(h, a.key, a.val[:0]); found {
		return a.val, ok, nil
	}
	commits := a.s.commits.Load()
	if value, ok, err = a.seek(kind); err == nil {
		hot.fill(h, a.key, value, ok, &a.s.commits, commits)
	}
	return value, ok, err
}

// seek is a point read of a.key. It keeps an iterator if there are many.
func (a *Arrangement) seek(kind int) ([]byte, bool, error) {
	p := &a.points[kind]
	if p.reads++; p.it != nil || p.reads > getsBeforeIter {
		return a.readIter(kind)
	}
	return a.read(a.s.db)
}

// read is a point read of a.key without an iterator kept.
func (a *Arrangement) read(r pebble.Reader) ([]byte, bool, error) {
	var closer io.Closer
	value, closer, err := r.Get(a.key)
	if err != nil {
		if errors.Is(err, pebble.ErrNotFound) {
			return nil, false, nil
		}
		return nil, false, a.readError(err)
	}
	a.val = append(a.val[:0], value...)
	if err := closer.Close(); err != nil {
		return nil, false, a.readError(err)
	}
	return a.val, true, nil
}

// open opens the iterator that point reads of a kind keep.
func (a *Arrangement) open(kind int) (err error) {
	p := &a.points[kind]
	if p.it != nil {
		return nil
	}
	if p.it, err = a.newIter(kind == mayLack); err == nil {
		a.register()
	}
	return err
}

func (a *Arrangement) readIter(kind int) ([]byte, bool, error) {
	if err := a.open(kind); err != nil {
		return nil, false, err
	}
	it := a.points[kind].it
	if !it.SeekPrefixGE(a.key) {
		if err := it.Error(); err != nil {
			return nil, false, a.readError(err)
		}
		return nil, false, nil
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return nil, false, a.readError(err)
	}
	return value, true, nil
}

func (a *Arrangement) newIter(lastFilters bool) (*pebble.Iterator, error) {
	var r pebble.Reader = a.s.db
	if a.snap != nil {
		r = a.snap.db
	}
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: a.low, UpperBound: a.high, UseL6Filters: lastFilters})
	if err != nil {
		return nil, a.readError(err)
	}
	return it, nil
}

// register lets the transaction know that there are iterators to close.
func (a *Arrangement) register() {
	if !a.reading {
		a.reading = true
		a.txn.readers = append(a.txn.readers, a)
	}
}

// closeIters closes what is kept. An error met by them was reported when it was met.
func (a *Arrangement) closeIters() {
	for i := range a.points {
		if it := a.points[i].it; it != nil {
			_ = it.Close()
		}
		a.points[i] = points{}
	}
	for _, c := range a.free {
		if c.it != nil {
			_ = c.it.Close()
			c.it = nil
		}
	}
	a.reading = false
}

// Set and Delete copy what they are given into the transaction's batch.
func (a *Arrangement) Set(key, value []byte) error {
	if err := a.writable(len(key) + len(value)); err != nil {
		return err
	}
	a.markWritten()
	op := a.txn.batch.SetDeferred(numberLen+len(key), len(value))
	copy(op.Key, a.low)
	copy(op.Key[numberLen:], key)
	copy(op.Value, value)
	return op.Finish()
}

// Delete removes a key.
func (a *Arrangement) Delete(key []byte) error {
	if err := a.writable(len(key)); err != nil {
		return err
	}
	op := a.txn.batch.DeleteDeferred(numberLen + len(key))
	copy(op.Key, a.low)
	copy(op.Key[numberLen:], key)
	return op.Finish()
}

// DeleteRange removes all keys from low to high, which is left out; nil: to
// the end. Cost: one range deletion, and a walk over the hot cache.
func (a *Arrangement) DeleteRange(low, high []byte) error {
	if err := a.writable(len(low) + len(high)); err != nil {
		return err
	}
	end := a.high
	if high != nil {
		end = append(slices.Clone(a.low), high...)
	}
	a.txn.ranged = append(a.txn.ranged, a.num)
	return a.txn.batch.DeleteRange(append(slices.Clone(a.low), low...), end, nil)
}

// Add adds n to the count at a key, a uvarint, 0 if there is none. A key that
// was not added to lately gets a merge, which reads nothing; one that was is read, which the
// hot cache makes cheap from then on, and set: reads never find long chains of merges.
func (a *Arrangement) Add(key []byte, n uint64) error {
	var buf [binary.MaxVarintLen64]byte
	if err := a.writable(len(key) + len(buf)); err != nil {
		return err
	}
	a.key = append(a.key[:numberLen], key...)
	if a.txn.addedLately(maphash.Bytes(a.s.hot.seed, a.key)) {
		value, ok, err := a.Get(key)
		if err != nil {
			return err
		}
		if ok {
			before, err := decodeCount(value)
			if err != nil {
				return a.readError(err)
			}
			n += before
		}
		return a.Set(key, buf[:binary.PutUvarint(buf[:], n)])
	}
	value := buf[:binary.PutUvarint(buf[:], n)]
	a.markWritten()
	op := a.txn.batch.MergeDeferred(numberLen+len(key), len(value))
	copy(op.Key, a.low)
	copy(op.Key[numberLen:], key)
	copy(op.Value, value)
	return op.Finish()
}

// markWritten lets the transaction know that there are entries.
func (a *Arrangement) markWritten() {
	if w := a.txn.written; len(w) == 0 || w[len(w)-1] != a.num && !slices.Contains(w, a.num) {
		a.txn.written = append(w, a.num)
	}
}

func (a *Arrangement) writable(n int) error {
	switch {
	case a.txn == nil:
		return pgerr.Newf(pgerr.InternalError, "arrangement %s of a snapshot cannot be written", a.id)
	case a.void:
		return a.errVoid()
	case a.txn.batch.Len()+n > maxBatchBytes:
		return pgerr.Newf(pgerr.ProgramLimitExceeded, "changes of one commit exceed %d bytes", maxBatchBytes)
	}
	return nil
}

func (a *Arrangement) errVoid() error {
	return pgerr.Newf(pgerr.InternalError, "arrangement %s was dropped", a.id)
}

// Cursor opens a cursor over the state as of the last commit. A transaction
// keeps closed ones and their place for the next call until it commits.
func (a *Arrangement) Cursor() (zset.Cursor, error) {
	if a.void {
		return nil, a.errVoid()
	}
	var c *cursor
	if n := len(a.free); n > 0 {
		c, a.free = a.free[n-1], a.free[:n-1]
	} else {
		c = &cursor{a: a}
	}
	if c.it == nil && a.num != 0 {
		it, err := a.newIter(false)
		if err != nil {
			return nil, err
		}
		c.it = it
	}
	return c, nil
}

// A cursor walks an arrangement. It bounds its reads by limits instead of
// resetting the iterator's bounds, so that ascending seeks go on from where they are.
type cursor struct {
	a          *Arrangement
	it         *pebble.Iterator // nil: nothing there
	low, limit []byte
	err        error
}

var _ zset.Cursor = (*cursor)(nil)

// Seek implements zset.Cursor.
func (c *cursor) Seek(prefix []byte) bool {
	c.low = append(append(c.low[:0], c.a.low...), prefix...)
	c.limit = appendPrefixEnd(c.limit[:0], c.low)
	return c.seek()
}

// Range implements zset.Cursor.
func (c *cursor) Range(low, high []byte) bool {
	if c.it == nil {
		return false
	}
	c.low = append(append(c.low[:0], c.a.low...), low...)
	if high == nil {
		c.limit = append(c.limit[:0], c.a.high...)
	} else {
		c.limit = append(append(c.limit[:0], c.a.low...), high...)
	}
	return c.seek()
}

func (c *cursor) seek() bool {
	if c.it == nil || c.err != nil || string(c.low) >= string(c.limit) {
		return false
	}
	return c.at(c.it.SeekGEWithLimit(c.low, c.limit))
}

// Next implements zset.Cursor.
func (c *cursor) Next() bool {
	if c.it == nil || c.err != nil {
		return false
	}
	return c.at(c.it.NextWithLimit(c.limit))
}

func (c *cursor) at(state pebble.IterValidityState) bool {
	if state == pebble.IterValid {
		return true
	}
	if err := c.it.Error(); err != nil {
		c.err = c.a.readError(err)
	}
	return false
}

// Key implements zset.Cursor.
func (c *cursor) Key() []byte { return c.it.Key()[numberLen:] }

// Value implements zset.Cursor.
func (c *cursor) Value() []byte {
	value, err := c.it.ValueAndErr()
	if err != nil && c.err == nil {
		c.err = c.a.readError(err)
	}
	return value
}

// Close implements zset.Cursor.
func (c *cursor) Close() error {
	err := c.err
	c.err = nil
	if c.it == nil {
		return err
	}
	if err == nil && c.a.txn != nil {
		c.a.free = append(c.a.free, c)
		c.a.register()
		return nil
	}
	if cerr := c.it.Close(); err == nil && cerr != nil {
		err = c.a.readError(cerr)
	}
	c.it = nil
	return err
}
