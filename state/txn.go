package state

import (
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// maxBatchBytes bounds a transaction; Pebble's own limit is 4 GiB.
const maxBatchBytes = 2 << 30

// A Txn collects changes and commits them as one atomic batch, again and
// again: it and its arrangements stay valid across commits. It belongs to one
// goroutine. Reads through it see the last committed state, not its own changes.
//
// Several may be open at once as long as no arrangement is written by one
// and used by another.
type Txn struct {
	s       *Store
	batch   *pebble.Batch
	arrs    map[partID]*Arrangement
	added   map[partID]uint32 // names of this transaction, not yet committed
	dropped [][16]byte
	readers []*Arrangement // with iterators open
	written []uint32       // numbers of arrangements that got entries
	ranged  []uint32       // of those that lost a range of them
	lately  [][4]uint32    // hashes of keys lately added to, see addedLately
}

// latelySets is a power of two.
const latelySets = 1 << 16

// addedLately reports whether a key was added to before by this transaction
// and not very many others since, and remembers it: of each set the last four.
func (t *Txn) addedLately(hash uint64) bool {
	if t.lately == nil {
		t.lately = make([][4]uint32, latelySets)
	}
	set, last := &t.lately[hash%latelySets], uint32(hash>>32)
	for i, h := range set {
		set[i], last = last, h
		if h == uint32(hash>>32) {
			return true
		}
	}
	return false
}

// NewTxn begins a transaction. Close ends it.
func (s *Store) NewTxn() *Txn {
	return &Txn{
		s:     s,
		batch: s.db.NewBatch(pebble.WithMaxRetainedSizeBytes(int(s.sizes.memTable / 2))),
		arrs:  make(map[partID]*Arrangement), added: make(map[partID]uint32),
	}
}

// Open gives the arrangement of a name, a new and empty one if there is none.
// The same name gives the same arrangement until its state is dropped.
func (t *Txn) Open(fp [16]byte, part string) (*Arrangement, error) {
	id := partID{fp, part}
	if a := t.arrs[id]; a != nil {
		return a, nil
	}
	num, ok := t.s.published.Load().names.number(id)
	if !ok || slices.Contains(t.dropped, fp) {
		var err error
		if num, err = t.s.newNumber(); err != nil {
			return nil, err
		}
		t.added[id] = num
	}
	a := newArrangement(t.s, id, num)
	a.txn = t
	t.arrs[id] = a
	return a, nil
}

func (s *Store) newNumber() (uint32, error) {
	s.numbersMu.Lock()
	defer s.numbersMu.Unlock()
	if s.lastNumber == 1<<32-2 {
		return 0, pgerr.Newf(pgerr.ProgramLimitExceeded, "state in %q has no arrangement numbers left", s.dir)
	}
	s.lastNumber++
	return s.lastNumber, nil
}

// SetMeta and DeleteMeta change a metadata key.
func (t *Txn) SetMeta(key string, value []byte) {
	t.must(t.batch.Set(systemKey(metaLetter, key), value, nil))
}

// DeleteMeta removes a metadata key.
func (t *Txn) DeleteMeta(key string) { t.must(t.batch.Delete(systemKey(metaLetter, key), nil)) }

// must states that adding to a plain batch cannot fail.
func (t *Txn) must(err error) {
	if err != nil {
		panic(fmt.Sprintf("state: batch: %v", err))
	}
}

// DropState removes all parts of a state; their arrangements are void from
// here on, their numbers never used again. Cost: one range deletion per part.
func (t *Txn) DropState(fp [16]byte) {
	drop := func(id partID, num uint32) {
		t.must(t.batch.DeleteRange(appendNumber(nil, num), appendNumber(nil, num+1), nil))
		t.must(t.batch.Delete(nameKey(id), nil))
	}
	for id, num := range t.s.published.Load().names.numbers {
		if id.fp == fp && !slices.Contains(t.dropped, fp) {
			drop(id, num)
		}
	}
	for id, num := range t.added {
		if id.fp == fp {
			drop(id, num)
			delete(t.added, id)
		}
	}
	for id, a := range t.arrs {
		if id.fp == fp {
			a.void = true
			delete(t.arrs, id)
		}
	}
	if !slices.Contains(t.dropped, fp) {
		t.dropped = append(t.dropped, fp)
	}
}

// Bytes is the size of the changes so far.
func (t *Txn) Bytes() int {
	if t.batch.Empty() {
		return 0
	}
	return t.batch.Len()
}

// Commit applies all changes as one atomic batch, with the checkpoint (nil
// keeps the one before), without fsync. Then the transaction is empty and
// goes on. After an error nothing was applied and the changes are kept for
// another try; 53100 says that the disk is full.
func (t *Txn) Commit(cp *Checkpoint) error {
	s := t.s
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if err := s.usable(t.batch.Len()); err != nil {
		return fmt.Errorf("committing state: %w", err)
	}
	last := s.published.Load()
	if cp == nil {
		cp = last.cp
	} else {
		cp = cp.clone()
		s.cpBuf = appendCheckpoint(s.cpBuf[:0], cp)
		t.must(t.batch.Set(checkpointKey, s.cpBuf, nil))
	}
	for id, num := range t.added {
		if _, ok := last.names.number(id); ok && !slices.Contains(t.dropped, id.fp) {
			return pgerr.Newf(pgerr.InternalError, "arrangement %s was created by two transactions at once", id)
		}
		t.must(t.batch.Set(nameKey(id), appendNumber(nil, num), nil))
	}
	next := last.names.next
	if len(t.added) > 0 {
		s.numbersMu.Lock()
		next = s.lastNumber + 1
		s.numbersMu.Unlock()
		t.must(t.batch.Set(nextKey, appendNumber(nil, next), nil))
	}
	t.closeIters()
	if t.batch.Empty() {
		t.reset()
		return nil
	}

	repr := t.batch.Repr() // Pebble keeps it, and takes it from a large batch
	s.commits.Add(1)
	if err := s.apply(t.batch); err != nil {
		return fmt.Errorf("committing state: %w", s.classify(err))
	}
	s.hot.commit(repr)
	for _, num := range t.ranged {
		s.hot.forget(num)
	}
	s.commits.Add(1)
	s.publish(cp, last.names.with(t.dropped, t.added, next).fill(t.written...))
	t.reset()
	return nil
}

// Abort forgets the changes since the last commit. Arrangements that they created are void.
func (t *Txn) Abort() {
	t.closeIters()
	for id := range t.added {
		t.arrs[id].void = true
		delete(t.arrs, id)
	}
	t.reset()
}

// Close aborts and ends the transaction.
func (t *Txn) Close() error {
	t.Abort()
	return t.batch.Close()
}

func (t *Txn) reset() {
	t.batch.Reset()
	clear(t.added)
	t.written = t.written[:0]
	t.ranged = t.ranged[:0]
	t.dropped = t.dropped[:0]
}

// closeIters lets go of the state that iterators hold on to.
func (t *Txn) closeIters() {
	for _, a := range t.readers {
		a.closeIters()
	}
	t.readers = t.readers[:0]
}

var (
	checkpointKey = systemKey(checkpointLetter)
	nextKey       = systemKey(nextLetter)
)
