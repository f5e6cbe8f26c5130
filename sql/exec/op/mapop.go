package op

import (
	"context"

	"github.com/helios-sql/helios-sql/sql/exec/eval"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// A Map filters and projects in one pass: d(f(R)) = f(dR). A row on which an
// expression fails becomes an error of the row's weight. State: none. Cost: one
// evaluation per row of the change.
type Map struct {
	pred  *eval.Filter     // nil: every row
	proj  *eval.Projection // nil: the row itself
	frame *eval.Frame
	buf   []byte
}

// NewMap compiles preds and exprs (nil: the row itself) over rows of types in.
func NewMap(in []types.Type, preds, exprs []scalar.Expr, c *eval.Context) (*Map, error) {
	m := &Map{frame: eval.NewFrame(c)}
	var err error
	if len(preds) > 0 {
		if m.pred, err = eval.CompileFilter(preds, in); err != nil {
			return nil, err
		}
	}
	if exprs != nil {
		if m.proj, err = eval.CompileProjection(exprs, in); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// SetContext makes the context of the next run the one that expressions see.
func (m *Map) SetContext(c *eval.Context) { m.frame.SetContext(c) }

// row appends the image of a row to dst; ok is false if it has none.
func (m *Map) row(dst []byte, row types.Row) (out []byte, ok bool, err error) {
	m.frame.SetRow(row)
	if m.pred != nil {
		if ok, err := m.pred.Bool(m.frame); !ok || err != nil {
			return dst, false, err
		}
	}
	if m.proj == nil {
		return append(dst, row...), true, nil
	}
	out, err = m.proj.AppendRow(m.frame, dst)
	return out, err == nil, err
}

// Eval maps the change.
func (m *Map) Eval(in []*Delta, out *Delta) error {
	out.Errs.AppendBatch(&in[0].Errs, 1)
	return m.each(&in[0].Rows, out)
}

func (m *Map) each(in *zset.Batch, out *Delta) error {
	for i := range in.Len() {
		arena, ok, err := m.row(out.Rows.Begin(), in.Row(i))
		if err != nil {
			if err := AppendError(&out.Errs, err, in.Weight(i)); err != nil {
				return err
			}
		} else if ok {
			out.Rows.End(arena, in.Weight(i))
		}
	}
	return nil
}

// Scan maps the input's scan.
func (m *Map) Scan(ctx context.Context, in []ScanFunc, emit, emitErr Emit) error {
	return in[0](ctx, func(row types.Row, w int64) error {
		out, ok, err := m.row(m.buf[:0], row)
		m.buf = out
		switch {
		case err != nil && emitErr != nil:
			if m.buf, err = errorRow(m.buf[:0], err); err != nil {
				return err
			}
			return emitErr(m.buf, w)
		case ok && emit != nil:
			return emit(out, w)
		}
		return nil
	}, emitErr)
}
