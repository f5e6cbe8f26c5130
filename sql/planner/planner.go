// Package planner turns a bound query into a physical plan: it normalizes the
// relational plan and builds the operators. Explain shows every stage.
package planner

import (
	"github.com/helios-sql/helios-sql/sql/exec/eval"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/binder"
	"github.com/helios-sql/helios-sql/sql/planner/memo"
	"github.com/helios-sql/helios-sql/sql/planner/norm"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
)

// A Mode says what a plan is for.
type Mode uint8

// View plans are kept by a circuit: their root is a Sink. OneShot plans run
// once and may have an order, a limit, and key look-ups.
const (
	View Mode = iota
	OneShot
)

// Plan plans a bound query. Parameters stay in the plan: physical.SubstituteParams
// puts values in their place. An ORDER BY of a view is dropped: what it keeps has no order.
func Plan(q *binder.Query, mode Mode) (*physical.Plan, error) {
	p, err := newPlanning(q, mode)
	if err != nil {
		return nil, err
	}
	p.normalize()
	return p.build()
}

// A planning is one query on its way.
type planning struct {
	mode  Mode
	memo  *memo.Memo
	root  rel.Node
	query *binder.Query
	order *physical.Order // nil: none
	trace func(rule string)
}

func newPlanning(q *binder.Query, mode Mode) (*planning, error) {
	p := &planning{mode: mode, memo: memo.New(), root: q.Root, query: q}
	width := len(q.Root.Schema())
	if mode == View {
		if q.Limit != nil || q.Offset != nil {
			return nil, pgerr.Unsupported(0, "LIMIT in a materialized view")
		}
		p.root = q.ViewRoot()
		return p, nil
	}
	if len(q.Order) == 0 && q.Limit == nil && q.Offset == nil && q.Visible == width {
		return p, nil
	}
	var keys []scalar.Expr
	keys, p.order = sortKeys(q.Order, width)
	p.order.Limit, p.order.Offset, p.order.Visible = foldBound(q.Limit), foldBound(q.Offset), q.Visible
	if len(keys) > 0 {
		p.root = columns(q.Root, width, keys)
	}
	return p, nil
}

// sortKeys makes an order over a row of width columns and the expressions that are to
// follow them.
func sortKeys(order []rel.SortKey, width int) (extra []scalar.Expr, o *physical.Order) {
	o = &physical.Order{Visible: width}
	for _, k := range order {
		key := physical.OrderKey{Desc: k.Desc, NullsFirst: k.NullsFirst}
		if c, ok := k.Expr.(*scalar.Column); ok {
			key.Column = c.Index
		} else {
			key.Column = width + len(extra)
			extra = append(extra, k.Expr)
		}
		o.Keys = append(o.Keys, key)
	}
	return extra, o
}

// columns projects a plan to its first n columns and further expressions.
func columns(in rel.Node, n int, more []scalar.Expr) rel.Node {
	s := in.Schema()
	p := &rel.Project{Input: in, Exprs: append(rel.ColumnExprs(s, 0, n), more...)}
	for i := range p.Exprs {
		name := "?column?"
		if i < n {
			name = s[i].Name
		}
		p.Names = append(p.Names, name)
	}
	return p
}

func foldBound(e scalar.Expr) scalar.Expr {
	if e == nil {
		return nil
	}
	return fold(e)
}

// fold leaves what raises an error as it is: PostgreSQL raises it only when a row gets there.
func fold(e scalar.Expr) scalar.Expr {
	if f, err := eval.Fold(e); err == nil {
		return f
	}
	return e
}

func (p *planning) normalize() {
	p.root = norm.Normalize(p.memo, p.root, norm.Options{Fold: fold, Trace: p.trace})
}

func (p *planning) build() (*physical.Plan, error) {
	root := p.root
	if t, ok := root.(*rel.TopK); ok && p.mode == OneShot && p.order == nil {
		width := len(t.Schema())
		var extra []scalar.Expr
		extra, p.order = sortKeys(t.Keys, width)
		p.order.Limit, p.order.Offset = t.Limit, t.Offset
		root = t.Input
		if len(extra) > 0 {
			root = columns(root, width, extra)
		}
	}
	b := physical.NewBuilder(p.memo, p.mode == OneShot)
	n, err := b.Build(root)
	if err != nil {
		return nil, err
	}
	plan := &physical.Plan{Root: n, Order: p.order, Cols: p.query.Cols}
	if p.mode == View {
		plan.Root = b.Sink(n)
	}
	return plan, nil
}
