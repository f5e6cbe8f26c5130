package op

import (
	"bytes"
	"context"
	"errors"

	"github.com/helios-sql/helios-sql/sql/types"
)

// A Distinct keeps one row of each set of equal rows: the least by bytes, so
// that which one stays does not depend on the order of changes. It emits when the least
// changes. State: part "rows", Key of all columns ‖ Row → count; "errs". Cost: per key touched
// one seek and one step more than the key has changes.
type Distinct struct {
	keyer
	rows  Arrangement
	errs  bag
	delta keyed
	least liveness
}

// NewDistinct gives the operator over rows of types in.
func NewDistinct(in []types.Type, open Open) (*Distinct, error) {
	rows, err := open("rows")
	if err != nil {
		return nil, err
	}
	errs, err := open("errs")
	if err != nil {
		return nil, err
	}
	return &Distinct{keyer: newKeyer(in, identity(len(in))), rows: rows, errs: bag{a: errs}}, nil
}

// Eval integrates the change and emits the representatives that changed.
func (d *Distinct) Eval(in []*Delta, out *Delta) (err error) {
	out.Errs.AppendBatch(&in[0].Errs, 1)
	if err := d.errs.add(&in[0].Errs); err != nil {
		return err
	}
	d.load(&d.delta, in[0])
	cur, err := d.rows.Cursor()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	for i, j := 0, 0; i < d.delta.len(); i = j {
		j = d.delta.group(i)
		before, after := d.least.run(cur, d.delta.key(i), nil, &d.delta, i, j)
		if before != nil && after != nil && bytes.Equal(before, after) {
			before, after = nil, nil
		}
		if before != nil {
			out.Rows.Append(before, -1)
		}
		if after != nil {
			out.Rows.Append(after, 1)
		}
		for e := i; e < j; e++ {
			if err := bump(d.rows, d.delta.both(e), d.delta.ents[e].w); err != nil {
				return err
			}
		}
	}
	return nil
}

// Scan enumerates the first row of each key.
func (d *Distinct) Scan(ctx context.Context, _ []ScanFunc, emit, emitErr Emit) error {
	if emit != nil {
		var last []byte
		err := walk(ctx, d.rows, nil, nil, func(key, _ []byte) error {
			n := types.SkipKey(key, d.ts)
			if last != nil && bytes.Equal(last, key[:n]) {
				return nil
			}
			last = append(last[:0], key[:n]...)
			return emit(key[n:], 1)
		})
		if err != nil {
			return err
		}
	}
	return d.errs.scan(ctx, emitErr)
}
