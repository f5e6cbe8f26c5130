package state

import (
	"errors"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// A Snapshot is the state as of one commit. It is counted: every Snapshot and
// Retain needs its Release. Safe for concurrent use.
type Snapshot struct {
	s     *Store
	db    *pebble.Snapshot // nil: of a closed store
	cp    *Checkpoint
	names *names
	refs  atomic.Int64
}

// Snapshot gives the state as of the last commit. Cost: none; all readers
// between two commits share one.
func (s *Store) Snapshot() *Snapshot {
	for {
		sn := s.published.Load()
		if sn.db == nil {
			return sn
		}
		for n := sn.refs.Load(); n > 0; n = sn.refs.Load() {
			if sn.refs.CompareAndSwap(n, n+1) {
				return sn
			}
		}
	}
}

// Retain adds a holder.
func (sn *Snapshot) Retain() { sn.refs.Add(1) }

// Release takes one away; the last closes the snapshot.
func (sn *Snapshot) Release() {
	if sn.db == nil || sn.refs.Add(-1) > 0 {
		return
	}
	if sn.s.Err() == nil {
		_ = sn.db.Close() // never fails
	}
	sn.s.snapshots.Add(-1)
}

// Checkpoint is that of the snapshot's commit.
func (sn *Snapshot) Checkpoint() Checkpoint { return *sn.cp.clone() }

// Open gives an arrangement to read from; one that did not exist is empty.
// Each caller needs its own.
func (sn *Snapshot) Open(fp [16]byte, part string) (*Arrangement, error) {
	if err := sn.usable(); err != nil {
		return nil, err
	}
	id := partID{fp, part}
	num, _ := sn.names.number(id)
	if num != 0 && !sn.names.filled[num] {
		num = 0 // there is nothing to read
	}
	a := newArrangement(sn.s, id, num)
	a.snap = sn
	return a, nil
}

// Exists reports whether a part was ever opened for writing and not dropped.
func (sn *Snapshot) Exists(fp [16]byte, part string) bool {
	_, ok := sn.names.number(partID{fp, part})
	return ok
}

func (n *names) number(id partID) (uint32, bool) {
	if n == nil {
		return 0, false
	}
	num, ok := n.numbers[id]
	return num, ok
}

func (sn *Snapshot) usable() error {
	if sn.db == nil {
		return errClosed()
	}
	return sn.s.Err()
}

// Meta gives the value of a metadata key.
func (sn *Snapshot) Meta(key string) ([]byte, bool, error) {
	if err := sn.usable(); err != nil {
		return nil, false, err
	}
	value, closer, err := sn.db.Get(systemKey(metaLetter, key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, sn.s.readError("metadata", err)
	}
	value = append([]byte{}, value...)
	return value, true, closer.Close()
}

// MetaPrefix calls fn for every metadata key with a prefix, in order, until it
// returns false. The value is borrowed.
func (sn *Snapshot) MetaPrefix(prefix string, fn func(key string, value []byte) bool) error {
	if err := sn.usable(); err != nil {
		return err
	}
	low := systemKey(metaLetter, prefix)
	it, err := sn.db.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: appendPrefixEnd(nil, low)})
	if err != nil {
		return sn.s.readError("metadata", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			break // Close reports it
		}
		if !fn(string(it.Key()[numberLen+1:]), value) {
			break
		}
	}
	if err := it.Close(); err != nil {
		return sn.s.readError("metadata", err)
	}
	return nil
}
