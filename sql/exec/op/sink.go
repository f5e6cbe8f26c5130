package op

import (
	"context"

	"github.com/helios-sql/helios-sql/sql/types"
)

// A Sink holds a view's rows where readers and other views find them; its
// output is its input, consolidated. State, at the view's own name: part "rows", Key →
// Row, or without a key Row → count; "errs", error row → count. Cost: one blind write per row
// changed; without a key one read more per row that goes.
type Sink struct {
	keyer
	keyed bool
	rows  Arrangement
	errs  bag
	delta keyed
}

// NewSink gives the operator over rows of types in, by the columns key, which
// are unique in every tick; nil: none are.
func NewSink(in []types.Type, key []int, open Open) (*Sink, error) {
	rows, err := open("rows")
	if err != nil {
		return nil, err
	}
	errs, err := open("errs")
	if err != nil {
		return nil, err
	}
	return &Sink{keyer: newKeyer(in, key), keyed: key != nil, rows: rows, errs: bag{a: errs}}, nil
}

// Eval integrates the change.
func (s *Sink) Eval(in []*Delta, out *Delta) error {
	out.Errs.AppendBatch(&in[0].Errs, 1)
	out.Errs.Canonical()
	if err := s.errs.add(&out.Errs); err != nil {
		return err
	}
	s.load(&s.delta, in[0])
	kd := &s.delta
	for i := range kd.len() {
		out.Rows.Append(kd.row(i), kd.ents[i].w)
		if !s.keyed {
			if err := bump(s.rows, kd.both(i), kd.ents[i].w); err != nil {
				return err
			}
		}
	}
	if !s.keyed {
		return nil
	}
	for i, j := 0, 0; i < kd.len(); i = j {
		j = kd.group(i)
		live := -1
		for e := i; e < j; e++ {
			if kd.ents[e].w > 0 {
				live = e
			}
		}
		var err error
		if live >= 0 {
			err = s.rows.Set(kd.key(i), kd.row(live))
		} else {
			err = s.rows.Delete(kd.key(i))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Scan enumerates the view.
func (s *Sink) Scan(ctx context.Context, _ []ScanFunc, emit, emitErr Emit) error {
	return ScanRelation(ctx, s.rows, s.keyed, nil, nil, emit, s.errs.a, emitErr)
}

// ReadKey is ScanRelation of the one row with a key.
func ReadKey(ctx context.Context, rows Arrangement, key []byte, emit Emit, errs Arrangement, emitErr Emit) error {
	if err := (&bag{a: errs}).scan(ctx, emitErr); err != nil || emit == nil {
		return err
	}
	value, ok, err := rows.Get(key)
	if err != nil || !ok {
		return err
	}
	return emit(value, 1)
}

// ScanRelation enumerates a stored relation: its rows with low <= key < high
// (nil: open) from its part "rows", keyed or not, and its errors from its part "errs".
func ScanRelation(ctx context.Context, rows Arrangement, keyed bool, low, high []byte, emit Emit, errs Arrangement, emitErr Emit) error {
	if err := (&bag{a: errs}).scan(ctx, emitErr); err != nil || emit == nil {
		return err
	}
	return walk(ctx, rows, low, high, func(key, value []byte) error {
		if keyed {
			return emit(value, 1)
		}
		return emit(key, count(value))
	})
}
