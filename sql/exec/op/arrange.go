package op

import (
	"context"

	"github.com/helios-sql/helios-sql/sql/types"
)

// An Arrange indexes its input; its output is its input. State: part "rows",
// Key of its columns ‖ Row → count; "errs". Cost: a blind write per row that comes, a read and
// a write per row that goes; of an input without duplicates blind writes only.
type Arrange struct {
	keyer
	unique bool
	rows   Arrangement
	errs   bag
	delta  keyed
}

// NewArrange gives the operator over rows of types in; unique promises that
// the input never holds a row twice.
func NewArrange(in []types.Type, key []int, unique bool, open Open) (*Arrange, error) {
	rows, err := open("rows")
	if err != nil {
		return nil, err
	}
	errs, err := open("errs")
	if err != nil {
		return nil, err
	}
	return &Arrange{keyer: newKeyer(in, key), unique: unique, rows: rows, errs: bag{a: errs}}, nil
}

// take puts the change out, integrates its errors and sorts its rows by key.
func (a *Arrange) take(in, out *Delta) error {
	out.Rows.AppendBatch(&in.Rows, 1)
	out.Errs.AppendBatch(&in.Errs, 1)
	a.load(&a.delta, in)
	return a.errs.add(&in.Errs)
}

// Eval integrates the change.
func (a *Arrange) Eval(in []*Delta, out *Delta) error {
	if err := a.take(in[0], out); err != nil {
		return err
	}
	for i := range a.delta.len() {
		key, w := a.delta.both(i), a.delta.ents[i].w
		var err error
		switch {
		case !a.unique:
			err = bump(a.rows, key, w)
		case w > 0:
			err = a.rows.Set(key, countOne)
		default:
			err = a.rows.Delete(key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Scan enumerates the index.
func (a *Arrange) Scan(ctx context.Context, _ []ScanFunc, emit, emitErr Emit) error {
	if emit != nil {
		err := walk(ctx, a.rows, nil, nil, func(key, value []byte) error {
			return emit(key[types.SkipKey(key, a.ts):], count(value))
		})
		if err != nil {
			return err
		}
	}
	return a.errs.scan(ctx, emitErr)
}
