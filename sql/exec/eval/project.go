package eval

import (
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A Projection makes rows from rows: one expression per output column. Plain
// columns are copied as bytes, neighbours in one piece.
type Projection struct{ cols []projected }

type projected struct {
	fn    evalFn // nil: columns first to last are copied
	typ   types.OID
	first int
	last  int
}

// CompileProjection compiles the output columns over rows of the given columns.
func CompileProjection(exprs []scalar.Expr, in []types.Type) (*Projection, error) {
	p := &Projection{}
	c := &compiler{in: in}
	for _, e := range exprs {
		if col, ok := e.(*scalar.Column); ok && col.Index < len(in) {
			if n := len(p.cols); n > 0 && p.cols[n-1].fn == nil && p.cols[n-1].last == col.Index-1 {
				p.cols[n-1].last = col.Index
			} else {
				p.cols = append(p.cols, projected{first: col.Index, last: col.Index})
			}
			continue
		}
		fn, err := c.expr(e)
		if err != nil {
			return nil, err
		}
		p.cols = append(p.cols, projected{fn: fn, typ: e.Type().OID})
	}
	return p, nil
}

// AppendRow appends the output row of the frame's row. On an error dst is
// given back unchanged in length.
func (p *Projection) AppendRow(f *Frame, dst []byte) ([]byte, error) {
	start := len(dst)
	for i := range p.cols {
		c := &p.cols[i]
		if c.fn == nil {
			dst = append(dst, f.values(c.first, c.last)...)
			continue
		}
		d, err := c.fn(f)
		if err != nil {
			return dst[:start], err
		}
		dst = types.AppendDatum(dst, c.typ, d)
	}
	return dst, nil
}

// A Filter is a conjunction of predicates.
type Filter struct{ preds []evalFn }

// CompileFilter compiles a conjunction; without predicates it passes every row.
func CompileFilter(preds []scalar.Expr, in []types.Type) (*Filter, error) {
	c := &compiler{in: in}
	fns, err := c.exprs(preds)
	if err != nil {
		return nil, err
	}
	return &Filter{preds: fns}, nil
}

// Bool reports whether all predicates are true of the frame's row; evaluation
// stops at the first that is not.
func (p *Filter) Bool(f *Frame) (bool, error) {
	for _, fn := range p.preds {
		d, err := fn(f)
		if err != nil || d.Null || d.I == 0 {
			return false, err
		}
	}
	return true, nil
}
