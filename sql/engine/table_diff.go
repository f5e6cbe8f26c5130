package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
	"github.com/helios-sql/helios-sql/state"
)

// A stepper makes tables of a source others, by their differences, in steps as
// of a large transaction: memory is that of a step. Nothing else changes the tables meanwhile.
type stepper struct {
	runner  *sourceRunner
	to      connectors.LSN // that the steps lead to
	rel     *catalog.Relation
	changes zset.Changes // of rel, not yet applied
	n       int          // of all
}

// table makes a relation, which is was, what is is, of the same columns and
// key. Cost: a scan of both. What is left over comes with the next step.
func (s *stepper) table(ctx context.Context, rel *catalog.Relation, wasIn *state.Snapshot, was physical.Fingerprint, isIn *state.Snapshot, is physical.Fingerprint) (err error) {
	if s.changes.Len() > 0 {
		if err := s.step(ctx, nil); err != nil {
			return err
		}
	}
	s.rel = rel
	anew, err := hasErrors(wasIn, was)
	if err != nil {
		return err
	}
	a, err := scan(wasIn, was)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	b, err := scan(isIn, is)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if anew { // changes that could not be applied went before: only a truncation takes that back
		if err := s.add(ctx, zset.Truncate, zset.OldNone, nil, nil); err != nil {
			return err
		}
		a.ok = false
	}
	for n := 0; a.ok || b.ok; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return canceled(ctx)
		}
		order := 0
		switch {
		case !a.ok:
			order = 1
		case !b.ok:
			order = -1
		default:
			order = bytes.Compare(a.Key(), b.Key())
		}
		if len(rel.Key) > 0 {
			err = s.row(ctx, order, a, b)
		} else {
			err = s.count(ctx, order, a, b)
		}
		if err != nil {
			return err
		}
		if order <= 0 {
			a.ok = a.Next()
		}
		if order >= 0 {
			b.ok = b.Next()
		}
	}
	return nil
}

// row compares two entries of keyed relations; order tells which of them are there.
func (s *stepper) row(ctx context.Context, order int, was, is *scanned) error {
	switch {
	case order < 0:
		return s.add(ctx, zset.Delete, zset.OldRow, was.Value(), nil)
	case order > 0:
		return s.add(ctx, zset.Insert, zset.OldNone, nil, is.Value())
	case !bytes.Equal(was.Value(), is.Value()):
		return s.add(ctx, zset.Update, zset.OldRow, was.Value(), is.Value())
	}
	return nil
}

// count compares two entries of relations without a key: the row and how often it is there.
func (s *stepper) count(ctx context.Context, order int, was, is *scanned) error {
	var n int64
	row := is
	if order <= 0 {
		c, _ := binary.Uvarint(was.Value())
		n, row = -int64(c), was
	}
	if order >= 0 {
		c, _ := binary.Uvarint(is.Value())
		n += int64(c)
	}
	for ; n > 0; n-- {
		if err := s.add(ctx, zset.Insert, zset.OldNone, nil, row.Key()); err != nil {
			return err
		}
	}
	for ; n < 0; n++ {
		if err := s.add(ctx, zset.Delete, zset.OldRow, row.Key(), nil); err != nil {
			return err
		}
	}
	return nil
}

// add adds a change; a step that is full is applied.
func (s *stepper) add(ctx context.Context, op zset.Op, kind zset.OldKind, old, new types.Row) error {
	s.changes.Append(op, kind, old, new)
	s.n++
	told := s.runner.engine.ticker.told.Load()
	if s.changes.Len() < told.rows && s.changes.Bytes() < told.bytes {
		return nil
	}
	return s.step(ctx, nil)
}

// step applies what is there and commits it. last is nil within; it says what
// the last step, which is published, commits besides.
func (s *stepper) step(ctx context.Context, last func() error) error {
	defer s.changes.Reset()
	t := s.runner.engine.ticker
	return t.doNow(ctx, func() error {
		if last == nil {
			t.stepOn(s.runner.id, s.to)
		} else if err := last(); err != nil {
			return err
		}
		if s.changes.Len() > 0 {
			t.addChanges(s.rel.ID, &s.changes)
		}
		if err := t.step(ctx, true); err != nil {
			return err
		}
		t.engine.metrics.Ticks.Add(1)
		t.engine.metrics.Changes.Add(int64(s.changes.Len()))
		if last != nil {
			t.publish()
		}
		return nil
	})
}

// A scanned is a relation's rows in the order of their keys.
type scanned struct {
	zset.Cursor
	ok bool
}

func scan(in *state.Snapshot, fp physical.Fingerprint) (*scanned, error) {
	a, err := in.Open(fp, "rows")
	if err != nil {
		return nil, err
	}
	c, err := a.Cursor()
	if err != nil {
		return nil, err
	}
	return &scanned{c, c.Range(nil, nil)}, nil
}

// hasErrors reports whether changes of a relation could not be applied.
func hasErrors(in *state.Snapshot, fp physical.Fingerprint) (bool, error) {
	a, err := in.Open(fp, "errs")
	if err != nil {
		return false, err
	}
	c, err := a.Cursor()
	if err != nil {
		return false, err
	}
	return c.Range(nil, nil), c.Close()
}
