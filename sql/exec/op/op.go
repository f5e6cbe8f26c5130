// Package op holds the incremental operators, one file each. An operator
// reads the deltas of its inputs and its own state as of the tick before,
// writes its state and puts out its delta. See docs/architecture.md.
package op

import "github.com/helios-sql/helios-sql/sql/zset"

// An Arrangement is one ordered map of bytes that holds a part of an
// operator's state. Reads see the state as of the tick before, writes go to the
// tick's batch: an operator that must see its own writes of this tick keeps
// them itself. package state has the durable one, NewMemory one for one-shot queries.
type Arrangement interface {
	// Get gives a key's value, borrowed until the next call.
	Get(key []byte) (value []byte, ok bool, err error)
	// Read is Get of one of many keys, in order, that are there, as a rule, and
	// not asked for again soon.
	Read(key []byte) (value []byte, ok bool, err error)
	// GetAll is Get of many keys at once.
	GetAll(l *zset.Lookups) error
	// Cursor opens a cursor; the caller closes it within the same Eval or Scan.
	Cursor() (zset.Cursor, error)
	// Set and Delete copy what they are given.
	Set(key, value []byte) error
	Delete(key []byte) error
	// Add adds n to the count at key, which is 0 if there is none, without
	// telling it. Counts are uvarints. A key that Add is called for is not written
	// otherwise in the same tick.
	Add(key []byte, n uint64) error
}

// A Delta is what flows along an edge: the change of the rows and the change
// of the errors. A scalar error (1/0 in one row) is data: a row of Errs, of
// two values (SQLSTATE, message, both text), that is retracted when the input is mended.
type Delta struct {
	Rows zset.Batch
	Errs zset.Batch
}

// Reset empties the delta and keeps its memory.
func (d *Delta) Reset() { d.Rows.Reset(); d.Errs.Reset() }

// Empty reports whether nothing changed.
func (d *Delta) Empty() bool { return d.Rows.Len() == 0 && d.Errs.Len() == 0 }
