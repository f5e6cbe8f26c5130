package cdc

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// Events gives the events in the order of the log. The loop ends with an
// error (nil event), which is ctx's or a *DefiniteError, or without one behind
// the snapshot of SnapshotInitialOnly. A *TableError says that one table has
// stopped, or a *TableStaleError that rows of one are amiss, and the loop goes on. A loop that was left can be begun again: it
// goes on behind the last event.
func (s *Source) Events(ctx context.Context) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		for {
			e, err := s.Recv(ctx)
			if err == io.EOF {
				return
			}
			if !yield(e, err) || err != nil && !ofTable(err) {
				return
			}
		}
	}
}

// ofTable reports whether an error is of one table only.
func ofTable(err error) bool {
	var table *TableError
	var stale *TableStaleError
	return errors.As(err, &table) || errors.As(err, &stale)
}

// Recv gives the next event; io.EOF behind the snapshot of SnapshotInitialOnly.
func (s *Source) Recv(ctx context.Context) (*Event, error) {
	if !s.receiving.CompareAndSwap(false, true) {
		return nil, errConcurrent()
	}
	defer s.receiving.Store(false)
	for {
		e, err := s.pull(ctx)
		if err != nil {
			return nil, err
		}
		s.accept(e)
		if e.Type != Begin && e.Type != Commit || s.feed.cfg.TransactionEvents {
			return e, nil
		}
	}
}

func errConcurrent() error {
	return &DefiniteError{pgerr.Newf(pgerr.ObjectInUse, "events are being received elsewhere")}
}

// A Transaction is the events of one committed transaction, or of a snapshot.
type Transaction struct {
	XID        uint32 // 0 of a snapshot and of a message outside of transactions
	CommitLSN  connectors.LSN
	CommitTime time.Time
	Snapshot   bool

	s     *Source
	ctx   context.Context // of the loop that it was got in
	first *Event
	done  bool
}

// Transactions gives whole transactions, in the order of their commits; a
// snapshot comes as one. Heartbeats only move the position. Errors are as of
// Events. The position is behind a transaction when the next one is asked for,
// even if its Events were not read.
func (s *Source) Transactions(ctx context.Context) iter.Seq2[*Transaction, error] {
	return func(yield func(*Transaction, error) bool) {
		for {
			e, err := s.pull(ctx)
			if err == io.EOF {
				return
			}
			if err != nil {
				if !yield(nil, err) || !ofTable(err) {
					return
				}
				continue
			}
			if e.Type == Heartbeat || e.Type == Commit {
				s.accept(e)
				continue
			}
			t := &Transaction{XID: e.XID, CommitLSN: e.CommitLSN, CommitTime: e.CommitTime, Snapshot: e.ofSnapshot(), s: s, ctx: ctx, first: e}
			if !yield(t, nil) {
				if t.first != nil && !t.done {
					s.pushed = t.first
				}
				return
			}
			for _, err := range t.Events() { // what was left
				if err != nil && !yield(nil, err) {
					return
				}
			}
		}
	}
}

// Events gives the transaction's events, once, as they come: a large
// transaction is not held in memory.
func (t *Transaction) Events() iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		for !t.done {
			e, err := t.first, error(nil)
			if t.first = nil; e == nil {
				e, err = t.s.pull(t.ctx)
			}
			if err != nil {
				t.done = !ofTable(err)
				if err == io.EOF || !yield(nil, err) {
					return
				}
				continue
			}
			if e.Type != Commit && (e.CommitLSN != t.CommitLSN || e.ofSnapshot() != t.Snapshot) {
				t.s.pushed, t.done = e, true
				return
			}
			t.s.accept(e)
			switch e.Type {
			case Begin:
				continue
			case Commit:
				t.done = true
				return
			case LogMessage:
				t.done = !e.Message.Transactional
			case Read, Truncate:
				t.done = e.Snapshot&SnapshotLast != 0
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}
